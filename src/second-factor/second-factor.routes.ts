import { pendingCookie, trustedCookie } from '../web/cookies.ts';
import type { Features } from '../web/flow-options.ts';
import { addForm } from '../web/form.ts';
import { homePath, safeNext, secondFactorPath } from '../web/next.ts';
import { json, object } from '../web/openapi/responses.ts';
import { type AnswerLogin, sessionStarted } from '../web/token-answer.ts';
import type { App, Request } from '../web/types.ts';
import { createCeremony } from './ceremony.routes.ts';
import { codeField, credentialField, tokenField } from './fields.ts';
import { invalidFactor, loginOver, tooManyCodes } from './refusals.ts';
import type { SecondStep } from './second-step.ts';

export interface SecondFactorParts {
  readonly secondFactor: SecondStep;
  readonly knownBrowsers: { find(fingerprint: string, header: string | undefined): string | undefined };
}

/** What the routes know from the start. */
export interface FactorRouteOptions {
  readonly https: boolean;
  readonly answerLogin: AnswerLogin;
  /** 0 offers no trust. */
  readonly trustedBrowserDays: number;
  readonly features: Features;
}

const waiting = object('The login that waits', {
  methods: { type: 'array', items: { type: 'string' }, description: 'The ways to go on, the best first' },
});

/** Reads the secret of the login that waits: from the `mfa_token` of a program, or from the cookie of a page. */
export const waitingSecretOf =
  (https: boolean) =>
  ({ headers }: Pick<Request, 'headers'>, token = ''): string =>
    token || (pendingCookie(https).read(headers.cookie) ?? '');

/** Adds the second step of a login. */
export function addSecondFactor(app: App, parts: () => SecondFactorParts, options: FactorRouteOptions): void {
  const { https, answerLogin, trustedBrowserDays } = options;
  const ceremony = createCeremony(app, https);
  const pending = pendingCookie(https);
  const trusted = trustedCookie(https, trustedBrowserDays);
  const waitingSecret = waitingSecretOf(https);

  addForm(app, [secondFactorPath, '/api/second-factor'], {
    summary: 'Second factor',
    description: 'Finishes a login that waits for a second factor. Both responses set the session cookie.',
    tag: 'Sign in',
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
    answer: sessionStarted,
    browser: 'To the home page or `next`',
    async show(request, { mfa_token: token, method }) {
      const { methods } = await parts().secondFactor.open(waitingSecret(request, token), request.caller);
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
      const finished = await secondFactor.finish(waitingSecret(request, token), step, caller);
      reply.header('set-cookie', pending.removal);
      if (finished.trustedBrowser !== undefined) reply.header('set-cookie', trusted.header(finished.trustedBrowser));
      return reply.proceed(safeNext(next) ?? homePath, answerLogin(request, reply, finished));
    },
  });
}
