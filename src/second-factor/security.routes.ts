import { insufficientUserAuthentication, type RequireFresh } from '../access/fresh-proof.ts';
import { InvalidFields } from '../access/refusal.ts';
import { speak } from '../languages/speech.ts';
import { maxNameLength, personName } from '../users/user.ts';
import { addAction } from '../web/action.ts';
import type { Features } from '../web/flow-options.ts';
import { addForm, invalidFields } from '../web/form.ts';
import { signedInOf } from '../web/hooks/credentials.ts';
import { json, object, settingCookies } from '../web/openapi/responses.ts';
import { type AnswerLogin, exampleTokens, tokenFields } from '../web/token-answer.ts';
import type { App, Reply, Request } from '../web/types.ts';
import { createCeremonyCookie } from './ceremony-cookie.ts';
import { codeField, credentialField } from './fields.ts';
import type { FactorChange, FactorsChanged, ManageFactors } from './manage.ts';
import { drawQrCode } from './qr.ts';
import { lastFactor, noSuchFactor } from './refusals.ts';

export interface SecurityParts {
  readonly manageFactors: ManageFactors;
  readonly requireFresh: RequireFresh;
}

export interface SecurityOptions {
  readonly https: boolean;
  readonly answerLogin: AnswerLogin;
  readonly features: Features;
}

const idField = { required: true, minLength: 1, maxLength: 43, description: 'The id of the passkey' } as const;

const detailAnswer = (detail: string) => json(detail, object(detail, { detail: { type: 'string' } }), { detail });

/** What `parseCreationOptionsFromJSON` takes. */
const creationOptions = json(
  'Options to make a passkey',
  { type: 'object', description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON`', additionalProperties: true },
  { challenge: '6Z3wq…', rp: { id: 'auth.example.com', name: 'Janua' } },
);

/** What an authenticator app is set up with. */
export const appSecret = json(
  'The secret for the app',
  object('An enrolment that waits for its code', {
    secret: { type: 'string', description: 'Base32' },
    uri: { type: 'string', description: 'For a QR code' },
  }),
  { secret: 'JBSWY3DPEHPK3PXP…', uri: 'otpauth://totp/…' },
);

const securityPath = '/account/security';

const time = { type: ['string', 'null'], description: 'RFC 3339, UTC' };

const securitySchema = object('The second factors', {
  passkeys: {
    type: 'array',
    items: object('A passkey', {
      id: { type: 'string' },
      name: { type: 'string' },
      synced: { type: 'boolean', description: 'Whether it is copied to other devices of its owner' },
      created_at: time,
      last_used_at: time,
    }),
  },
  totp: { type: 'boolean', description: 'Whether there is an authenticator app' },
  recovery_codes_left: { type: 'integer' },
  trusted_browsers: {
    type: 'array',
    items: object('A browser', { id: { type: 'string' }, browser: { type: 'string' }, trusted_at: time }),
  },
});

const codesSchema = object(
  'What changed',
  {
    detail: { type: 'string' },
    recovery_codes: { type: 'array', items: { type: 'string' }, description: 'Only where they are new' },
    ...tokenFields,
  },
  ['recovery_codes', ...Object.keys(tokenFields)],
);

/** Adds the page on which users manage their second factors. */
export function addSecurity(
  app: App,
  parts: () => SecurityParts,
  { https, answerLogin, features }: SecurityOptions,
): void {
  const hasPasskeys = features.passkeyDomain !== undefined;
  const ceremony = createCeremonyCookie(https);
  const tag = 'Second factors';
  const changed = (detail: string) =>
    settingCookies(json(detail, codesSchema, { detail, recovery_codes: ['K7QD-…'], ...exampleTokens }));
  const fresh = { signedIn: true, openedAt: securityPath, refusals: [insufficientUserAuthentication] } as const;

  /** A user who has just proved who they are. */
  async function requireChange(request: Request) {
    const signedIn = signedInOf(request);
    await parts().requireFresh(signedIn, undefined, request);
    return { signedIn, language: request.language, caller: request.caller };
  }

  /** New recovery codes are shown once, on the page that answers. */
  function answer(request: Request, reply: Reply, state: number, detail: string, result: FactorsChanged) {
    const { recoveryCodes: codes, renewed } = result;
    const tokens = renewed && answerLogin(request, reply, renewed);
    const model = { detail, ...tokens, ...(codes.length > 0 && { recovery_codes: codes }) };
    return codes.length > 0 ? reply.send(model) : reply.proceed(`${securityPath}?state=${state}`, model);
  }

  addAction(app, [securityPath, '/api/account/security'], {
    method: 'GET',
    summary: 'Security',
    tag,
    config: { signedIn: true, view: 'second-factor/security' },
    answer: json('The second factors', securitySchema, {
      passkeys: [],
      totp: true,
      recovery_codes_left: 10,
      trusted_browsers: [],
    }),
    browser: 'The page Security',
    async handle(request) {
      const { user, session } = signedInOf(request);
      const { passkeys, totp, recoveryCodesLeft, trustedBrowsers } = await parts().manageFactors.list(
        user,
        session.stamp,
      );
      const { state } = request.query as Readonly<Record<string, unknown>>;
      return {
        passkeys: passkeys.map(({ id, name, synced, createdAt, lastUsedAt }) => ({
          ...{ id, name, synced, created_at: createdAt.toISOString() },
          last_used_at: lastUsedAt?.toISOString() ?? null,
        })),
        totp: totp !== undefined,
        app: totp,
        recovery_codes_left: recoveryCodesLeft,
        trusted_browsers: trustedBrowsers.map(({ id, userAgent, trustedAt }) => ({
          ...{ id, browser: speak('en').client(userAgent), user_agent: userAgent },
          trusted_at: trustedAt.toISOString(),
        })),
        state,
      };
    },
  });

  addAction(app, [`${securityPath}/totp/begin`, '/api/account/security/totp/begin'], {
    method: 'POST',
    summary: 'Begin to add an authenticator app',
    tag,
    config: { ...fresh, view: 'second-factor/totp' },
    answer: appSecret,
    browser: 'The page with the QR code',
    async handle(request) {
      const { signedIn } = await requireChange(request);
      const enrolment = await parts().manageFactors.beginTotp(signedIn);
      return { ...enrolment, qr: await drawQrCode(enrolment.uri), values: {}, errors: {} };
    },
  });

  addForm(app, [`${securityPath}/totp`, '/api/account/security/totp'], {
    summary: 'Add an authenticator app',
    tag,
    config: { signedIn: true, refusals: [insufficientUserAuthentication] },
    view: 'second-factor/totp',
    fields: { code: { ...codeField, required: true } },
    example: { code: '123456' },
    answer: changed('Authenticator app added'),
    browser: 'The page with the recovery codes, or the page Security',
    async submit(request, reply, { code }) {
      const by = await requireChange(request);
      return answer(request, reply, 1, 'Authenticator app added', await parts().manageFactors.enableTotp(by, code));
    },
  });

  addAction(app, [`${securityPath}/totp/remove`, '/api/account/security/totp/remove'], {
    method: 'POST',
    summary: 'Remove the authenticator app',
    tag,
    config: { ...fresh, refusals: [...fresh.refusals, lastFactor] },
    answer: changed('Authenticator app removed'),
    browser: 'The page Security',
    async handle(request, reply) {
      const by = await requireChange(request);
      return answer(request, reply, 2, 'Authenticator app removed', await parts().manageFactors.removeTotp(by));
    },
  });

  addAction(app, [`${securityPath}/recovery-codes`, '/api/account/security/recovery-codes'], {
    method: 'POST',
    summary: 'Get new recovery codes',
    tag,
    config: { ...fresh, view: 'second-factor/codes' },
    answer: changed('The old recovery codes are void'),
    browser: 'The page with the recovery codes',
    async handle(request) {
      const { recoveryCodes: codes } = await parts().manageFactors.renewRecoveryCodes(await requireChange(request));
      return { detail: 'The old recovery codes are void', recovery_codes: codes };
    },
  });

  const enrolment = ({ signedIn: { session } }: FactorChange) => `enrol:${session.id}`;

  if (hasPasskeys) {
    addAction(app, [`${securityPath}/passkeys/options`, '/api/account/security/passkeys/options'], {
      method: 'POST',
      summary: 'Begin to add a passkey',
      description: 'Gives a challenge, and the cookie `ceremony`, which has to come back with the passkey.',
      tag,
      config: fresh,
      answer: settingCookies(creationOptions),
      browser: 'To the page Security: only scripts have a use for the options',
      async handle(request, reply) {
        const by = await requireChange(request);
        const binding = { purpose: enrolment(by), cookie: ceremony.give(request, reply) };
        return reply.proceed(securityPath, await parts().manageFactors.passkeyOptions(by.signedIn, binding));
      },
    });

    addAction(app, [`${securityPath}/passkeys`, '/api/account/security/passkeys'], {
      method: 'POST',
      summary: 'Add a passkey',
      tag,
      fields: { credential: credentialField, name: { maxLength: maxNameLength, description: 'Default: the provider' } },
      example: { credential: '{"id":"…"}', name: 'My phone' },
      config: { ...fresh, view: 'second-factor/codes', refusals: [...fresh.refusals, invalidFields] },
      answer: changed('Passkey added'),
      browser: 'The page with the recovery codes, or the page Security',
      async handle(request, reply, { credential, name }) {
        const by = await requireChange(request);
        const binding = { purpose: enrolment(by), cookie: ceremony.read(request) };
        const result = await parts().manageFactors.addPasskey(by, credential, binding, personName(name ?? ''));
        return answer(request, reply, 3, 'Passkey added', result);
      },
    });

    addAction(app, [`${securityPath}/passkeys/rename`, '/api/account/security/passkeys/rename'], {
      method: 'POST',
      summary: 'Rename a passkey',
      tag,
      fields: {
        id: idField,
        name: { required: true, minLength: 1, maxLength: maxNameLength, description: 'The name' },
      },
      example: { id: 'm9wTrqmiCb1pEU9oSIvH5g', name: 'My phone' },
      config: { ...fresh, refusals: [...fresh.refusals, invalidFields, noSuchFactor] },
      answer: detailAnswer('Passkey renamed'),
      browser: 'The page Security',
      async handle(request, reply, { id, name }) {
        const { signedIn } = await requireChange(request);
        const typed = personName(name);
        if (!typed) throw new InvalidFields({ field: 'name', code: 'malformed' });
        await parts().manageFactors.renamePasskey(signedIn, id, typed);
        return reply.proceed(`${securityPath}?state=5`, { detail: 'Passkey renamed' });
      },
    });

    addAction(app, [`${securityPath}/passkeys/remove`, '/api/account/security/passkeys/remove'], {
      method: 'POST',
      summary: 'Remove a passkey',
      tag,
      fields: { id: idField },
      example: { id: 'm9wTrqmiCb1pEU9oSIvH5g' },
      config: { ...fresh, refusals: [...fresh.refusals, noSuchFactor, lastFactor] },
      answer: changed('Passkey removed'),
      browser: 'The page Security',
      async handle(request, reply, { id }) {
        const by = await requireChange(request);
        return answer(request, reply, 4, 'Passkey removed', await parts().manageFactors.removePasskey(by, id));
      },
    });
  }

  addAction(app, [`${securityPath}/trusted-browsers/end`, '/api/account/security/trusted-browsers/end'], {
    method: 'POST',
    summary: 'End the trust in a browser',
    tag,
    fields: { id: { maxLength: 43, description: 'The id of the browser. Without it: all' } },
    example: { id: 'm9wTrqmiCb1pEU9oSIvH5g' },
    config: { ...fresh, refusals: [...fresh.refusals, noSuchFactor] },
    answer: detailAnswer('Trust ended'),
    browser: 'The page Security',
    async handle(request, reply, { id }) {
      const { signedIn, caller } = await requireChange(request);
      await parts().manageFactors.endTrust(signedIn, id || undefined, caller);
      return reply.proceed(`${securityPath}?state=${id ? 6 : 8}`, { detail: 'Trust ended' });
    },
  });
}
