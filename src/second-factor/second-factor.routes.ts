import type { Account } from '../users/account.ts';
import { pendingCookie, trustedCookie } from '../web/cookies.ts';
import type { Features } from '../web/flow-options.ts';
import { addForm } from '../web/form.ts';
import { signedInOf } from '../web/hooks/credentials.ts';
import { homePath, safeNext, secondFactorPath } from '../web/next.ts';
import { json, object, settingCookies } from '../web/openapi/responses.ts';
import { type AnswerLogin, exampleTokens, tokenFields } from '../web/token-answer.ts';
import type { App, Request } from '../web/types.ts';
import { createCeremony } from './ceremony.routes.ts';
import type { Binding } from './challenges.ts';
import type { Factors } from './factors.ts';
import { codeField, credentialField } from './fields.ts';
import type { Passkeys } from './passkeys.ts';
import { invalidFactor, loginOver, tooManyCodes } from './refusals.ts';
import type { SecondStep } from './second-step.ts';

export interface SecondFactorParts {
  readonly secondFactor: SecondStep;
  readonly factors: Pick<Factors, 'ownerOf'>;
  /** Set where this host can have passkeys. */
  readonly passkeys: Pick<Passkeys, 'requestOptions'> | undefined;
  readonly knownBrowsers: { find(fingerprint: string, header: string | undefined): string | undefined };
}

export interface SecondFactorOptions {
  readonly https: boolean;
  readonly answerLogin: AnswerLogin;
  /** 0 offers no trust. */
  readonly trustedBrowserDays: number;
  readonly features: Features;
}

const tokenField = { maxLength: 100, description: 'The waiting login, for programs', inLink: true } as const;

const waiting = object('The login that waits', {
  methods: { type: 'array', items: { type: 'string' }, description: 'The ways to go on, the best first' },
});

/** Adds the second step of a login. Pages know the waiting login by a cookie, programs by their `mfa_token`. */
export function addSecondFactor(app: App, parts: () => SecondFactorParts, options: SecondFactorOptions): void {
  const { https, answerLogin, trustedBrowserDays, features } = options;
  const tag = 'Sign in';
  const pending = pendingCookie(https);
  const ceremony = createCeremony(app, https);
  const trusted = trustedCookie(https, trustedBrowserDays);
  const waitingLogin = ({ headers }: Request, token = '') => token || (pending.read(headers.cookie) ?? '');

  addForm(app, [secondFactorPath, '/api/second-factor'], {
    summary: 'Second factor',
    description: 'Finishes a login that waits for a second factor. Both responses set the session cookie.',
    tag,
    config: { refusals: [invalidFactor, loginOver, tooManyCodes] },
    view: 'second-factor/second-factor',
    fields: {
      mfa_token: tokenField,
      method: { description: '`totp`, `recovery_code` or `passkey`. Default: `totp`', inLink: true },
      code: codeField,
      credential: credentialField,
      trust_browser: { description: '`on`, to be asked no more in this browser for some days' },
      next: { maxLength: 65_536, description: 'For pages: the path to go to afterwards', inLink: true },
    },
    example: { mfa_token: 'm9wTrqmiCb1pEU9oSIvH5g…', method: 'totp', code: '123456' },
    shown: json('The login waits', waiting, { methods: ['totp', 'recovery_code'] }),
    answer: settingCookies(json('A session was started', object('A session was started', tokenFields), exampleTokens)),
    browser: 'To the home page or `next`',
    async show(request, { mfa_token: token, method }) {
      const { methods } = await parts().secondFactor.open(waitingLogin(request, token), request.caller);
      const shown = methods.find((one) => one === method) ?? methods[0];
      return { methods, method: shown, others: methods.filter((one) => one !== shown), trustedBrowserDays };
    },
    async submit(request, reply, { mfa_token: token, method = 'totp', code, credential, trust_browser: trust, next }) {
      const { presented, caller, headers, language } = request;
      const { secondFactor, knownBrowsers } = parts();
      const step = {
        ...{ method, code, credential, ceremony: ceremony.read(request), presented, language },
        trustsBrowser: trust === 'on' && trustedBrowserDays > 0,
        findKnownBrowser: (fingerprint: string) => knownBrowsers.find(fingerprint, headers.cookie),
      };
      const finished = await secondFactor.finish(waitingLogin(request, token), step, caller);
      reply.header('set-cookie', pending.removal);
      if (finished.trustedBrowser !== undefined) reply.header('set-cookie', trusted.header(finished.trustedBrowser));
      return reply.proceed(safeNext(next) ?? homePath, answerLogin(request, reply, finished));
    },
  });

  if (features.passkeyDomain === undefined) return;
  const takenBy = 'parseRequestOptionsFromJSON';
  const findOptions = async (account: Pick<Account, 'user'>, binding: Binding) =>
    parts().passkeys?.requestOptions(binding, parts().factors.ownerOf(account));

  ceremony.addOptions([`${secondFactorPath}/options`, '/api/second-factor/options'], {
    summary: 'Ask for a passkey as the second factor',
    tag,
    fields: { mfa_token: tokenField },
    example: { mfa_token: 'm9wTrqmiCb1pEU9oSIvH5g…' },
    config: { openedAt: secondFactorPath, refusals: [loginOver] },
    takenBy,
    async find(request, bind, { mfa_token: token }) {
      const { pending, account } = await parts().secondFactor.open(waitingLogin(request, token), request.caller);
      return findOptions(account, bind(`second-factor:${pending.id}`));
    },
  });

  ceremony.addOptions(['/auth/confirm/options', '/api/confirm/options'], {
    summary: 'Ask for a passkey as a fresh proof',
    tag,
    config: { signedIn: true, openedAt: '/auth/confirm' },
    takenBy,
    async find(request, bind) {
      const { user, session } = signedInOf(request);
      return findOptions({ user }, bind(`confirm:${session.id}`));
    },
  });
}
