import { changeRefusals } from '../../core/access/change-refusals.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import { maxNameLength, personName } from '../../core/users/user.ts';
import { textsIn } from '../../ground/languages/speech.ts';
import { type Action, addAction, type Fields, type Input } from '../../web/action.ts';
import { bodyField } from '../../web/body-field.ts';
import { codeField, credentialField, detailAnswer, exampleId, idField, nextField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { homePath, safeNext } from '../../web/next.ts';
import { json, listOf, object, orNull, settingCookies, text, time } from '../../web/openapi/responses.ts';
import { tokenFields } from '../../web/token-answer.ts';
import type { App, FreshProof, Reply, Request } from '../../web/types.ts';
import type { Answer } from '../../web/view.ts';
import type { RouteOptions } from '../capability.ts';
import type { FactorParts } from './composition.ts';
import { appSecret, codesSchema, drawSecret, withQrCode } from './fields.ts';
import type { FactorChange, FactorsChanged } from './manage.ts';
import { addPasskeyOptions } from './passkey.routes.ts';
import { factorDemanded, lastFactor, noSuchFactor } from './refusals.ts';
import { codesView, securityView, totpView } from './views.ts';

interface SecurityParts extends Pick<FactorParts, 'manageFactors' | 'factors' | 'passkeyOffers'> {
  readonly ports: Pick<JoinedPorts, 'listIdentities'>;
}

const securityPath = '/account/security';
const addresses = (path: string) => [`${securityPath}${path}`, `/api${securityPath}${path}`] as const;

const tag = 'Second factors';
const freshProof: FreshProof = { page: ({ security }) => security.title, showsList: true };
const fresh = { signedIn: true, openedAt: securityPath, freshProof } as const;
const nameField = { maxLength: maxNameLength, description: 'The name', examples: ['My phone'] } as const;

const declined = 'Declined';

const id = text(exampleId);
const synced = { type: 'boolean', description: 'Whether it is copied to other devices of its owner' };
const passkeySchema = object('A passkey', {
  id,
  name: text('My phone'),
  synced,
  created_at: time,
  last_used_at: orNull(time),
});
const browserSchema = object('A browser', { id, browser: text('Firefox on Windows'), trusted_at: time });
const securitySchema = object('The second factors', {
  passkeys: listOf(passkeySchema),
  totp: { type: 'boolean', description: 'Whether there is an authenticator app' },
  recovery_codes_left: { type: 'integer', examples: [10] },
  trusted_browsers: listOf(browserSchema),
});

const changed = (detail: string) => {
  const fields = { detail: { type: 'string' }, recovery_codes: codesSchema, ...tokenFields };
  const schema = object('What changed', fields, ['recovery_codes', ...Object.keys(tokenFields)]);
  return settingCookies(json(detail, schema, { detail }));
};

interface Change<F extends Fields> extends Pick<Action<F>, 'summary' | 'fields'> {
  readonly refusals?: Action['config']['refusals'];
  /** The `detail` for programs, and the number of the message on the page Security. */
  readonly message: [detail: string, state: number];
  change(by: FactorChange, input: Input<F>, request: Request): Promise<FactorsChanged | undefined>;
}

type Parts = () => SecurityParts;

const changeBy = (request: Request): FactorChange => ({
  signedIn: signedInOf(request),
  account: provedOf(request),
  language: request.language,
  caller: request.caller,
});

/**
 * Answers a change. New recovery codes are shown once, in this response. @param next path at which the user continues after adding a
 * demanded factor
 */
function answer(reply: Reply, message: [string, number], made: Partial<FactorsChanged> = {}, next?: string) {
  const { recoveryCodes = [], renewed, name } = made;
  const [detail, state] = message;
  const model = { detail, ...(renewed && reply.answerLogin(renewed)) };
  const place = safeNext(next) ?? `${securityPath}?state=${state}`;
  if (recoveryCodes.length > 0)
    return reply.send({ ...model, recovery_codes: recoveryCodes, next: place, said: state, name });
  return reply.proceed(place, model);
}

function addChange<const F extends Fields>(app: App, path: string, definition: Change<F>): void {
  const { refusals, message, change, ...action } = definition;
  addAction<F, Answer<typeof codesView>>(app, addresses(path), {
    ...action,
    method: 'POST',
    tag,
    config: { ...fresh, view: codesView, refusals },
    answer: changed(message[0]),
    browser: 'To the page Security, or the page with new recovery codes',
    async handle(request, reply, input) {
      const { next } = input as { readonly next?: string };
      return answer(reply, message, await change(changeBy(request), input, request), next);
    },
  });
}

export function addSecurity(app: App, parts: Parts, { https, features, findApplication }: RouteOptions): void {
  addSecurityPage(app, parts, findApplication);
  addAuthenticatorApp(app, parts);
  addCodesAndTrust(app, parts);
  if (features.passkeyDomain !== undefined) addPasskeyChanges(app, parts, https);
}

function addSecurityPage(app: App, parts: Parts, findApplication: RouteOptions['findApplication']): void {
  addAction(app, addresses(''), {
    method: 'GET',
    summary: 'Security',
    tag,
    config: { signedIn: true, takesTurn: true, freshProof, view: securityView },
    query: { next: { description: nextField.description } },
    answer: json('The second factors', securitySchema),
    browser: 'The page Security',
    async handle(request) {
      const { user, session } = signedInOf(request);
      const { passkeys, totp, recoveryCodesLeft, trustedBrowsers, signal } = await parts().manageFactors.list(
        user,
        session.stamp,
      );
      const next = safeNext(bodyField(request.query, 'next'));
      return {
        signal,
        next,
        application: next === undefined ? undefined : (await findApplication(next))?.name,
        passkeys: passkeys.map(({ id, name, synced, createdAt, lastUsedAt }) => ({
          id,
          name,
          synced,
          created_at: createdAt.toISOString(),
          last_used_at: lastUsedAt?.toISOString() ?? null,
        })),
        totp: totp !== undefined,
        app: totp,
        linked: await parts().ports.listIdentities(user),
        recovery_codes_left: recoveryCodesLeft,
        trusted_browsers: trustedBrowsers.map(({ id, userAgent, trustedAt }) => ({
          id,
          browser: textsIn('en').client(userAgent),
          user_agent: userAgent,
          trusted_at: trustedAt.toISOString(),
        })),
      };
    },
  });
}

function addAuthenticatorApp(app: App, parts: Parts): void {
  addAction(app, addresses('/totp/begin'), {
    method: 'POST',
    summary: 'Begin to add an authenticator app',
    tag,
    fields: { next: nextField },
    config: { ...fresh, view: totpView, refusals: [factorDemanded] },
    answer: appSecret,
    browser: 'The page with the QR code',
    async handle(request, _reply, { next }) {
      const { user } = signedInOf(request);
      await parts().manageFactors.requireMayAdd(signedInOf(request), provedOf(request));
      return withQrCode(await parts().factors.totp.begin(user, user.username), { ...(next && { next }) });
    },
  });

  addForm(app, addresses('/totp'), {
    summary: 'Add an authenticator app',
    tag,
    config: { signedIn: true, freshProof: { page: ({ security }) => security.addApp }, refusals: [factorDemanded] },
    view: totpView,
    fields: { code: { ...codeField, required: true }, next: nextField },
    answer: changed('Authenticator app added'),
    browser: 'The page with the recovery codes, or the page Security',
    async show(request) {
      const { user } = request.proved ?? signedInOf(request);
      const waiting = await parts().factors.totp.findWaiting(user, user.username);
      if (waiting === undefined) return {};
      // The secret is shown again only after a wrong code.
      return { waits: true, ...(request.method === 'POST' && (await drawSecret(waiting))) };
    },
    submit: async (request, reply, { code, next }) =>
      answer(
        reply,
        ['Authenticator app added', 1],
        await parts().manageFactors.enableTotp(changeBy(request), code),
        next,
      ),
  });

  addChange(app, '/totp/remove', {
    summary: 'Remove the authenticator app',
    refusals: [noSuchFactor, lastFactor],
    message: ['Authenticator app removed', 2],
    change: (by) => parts().manageFactors.removeTotp(by),
  });
}

function addCodesAndTrust(app: App, parts: Parts): void {
  addChange(app, '/recovery-codes', {
    summary: 'Get new recovery codes',
    fields: { next: nextField },
    refusals: [noSuchFactor],
    message: ['The old recovery codes are void', 10],
    change: (by) => parts().manageFactors.renewRecoveryCodes(by),
  });

  addChange(app, '/trusted-browsers/end', {
    summary: 'End the trust in a browser',
    fields: { id: { maxLength: 43, description: 'The id of the browser. Without it: all', examples: [exampleId] } },
    refusals: [noSuchFactor],
    message: ['Trust ended', 6],
    change: (by, { id }) => parts().manageFactors.endTrust(by, id || undefined),
  });
}

function addPasskeyChanges(app: App, parts: Parts, https: RouteOptions['https']): void {
  const purposeOf = ({ signedIn: { session } }: FactorChange) => `enrol:${session.id}`;

  addPasskeyOptions(app, https, addresses('/passkeys/options'), {
    summary: 'Begin to add a passkey',
    tag,
    takenBy: 'parseCreationOptionsFromJSON',
    config: { ...fresh, refusals: [factorDemanded, changeRefusals['too-many-kept']] },
    async find(request, bind) {
      const by = changeBy(request);
      await parts().manageFactors.requireMayAdd(by.signedIn, by.account);
      const { passkeys } = parts().factors;
      return passkeys.creationOptions(by.signedIn.user, bind(purposeOf(by)));
    },
  });

  addChange(app, '/passkeys', {
    summary: 'Add a passkey',
    fields: {
      credential: credentialField,
      name: { ...nameField, description: 'Default: the provider and the browser' },
      next: nextField,
    },
    refusals: [factorDemanded, changeRefusals['too-many-kept']],
    message: ['Passkey added', 3],
    change(by, { credential, name = '' }, { headers }) {
      return parts().manageFactors.addPasskey(
        by,
        credential,
        parts().factors.bindingOf(purposeOf(by), headers),
        personName(name),
      );
    },
  });

  addAction(app, addresses('/passkeys/decline'), {
    method: 'POST',
    summary: 'Decline the passkey that the home page offers',
    tag,
    fields: {
      answer: {
        required: true,
        minLength: 1,
        maxLength: 10,
        description: '`later`: ask again after 30 days. `never`',
        examples: ['later'],
      },
    },
    config: { signedIn: true, openedAt: homePath },
    answer: detailAnswer(declined),
    browser: 'To the home page',
    async handle(request, reply, { answer }) {
      if (answer !== 'later' && answer !== 'never') throw new InvalidFields({ field: 'answer', code: 'malformed' });
      await parts().passkeyOffers.decline(signedInOf(request).user, answer);
      return reply.proceed(homePath, { detail: declined });
    },
  });

  addChange(app, '/passkeys/rename', {
    summary: 'Rename a passkey',
    fields: { id: idField('The id of the passkey'), name: { ...nameField, required: true, minLength: 1 } },
    refusals: [noSuchFactor],
    message: ['Passkey renamed', 5],
    change(by, { id, name }) {
      const typed = personName(name);
      if (!typed) throw new InvalidFields({ field: 'name', code: 'malformed' });
      return parts().manageFactors.renamePasskey(by, id, typed);
    },
  });

  addChange(app, '/passkeys/remove', {
    summary: 'Remove a passkey',
    fields: { id: idField('The id of the passkey') },
    refusals: [noSuchFactor, lastFactor],
    message: ['Passkey removed', 4],
    change: (by, { id }) => parts().manageFactors.removePasskey(by, id),
  });
}
