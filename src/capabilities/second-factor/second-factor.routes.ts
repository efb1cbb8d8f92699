import { challengePurposes, tooManyCodes } from '../../core/access/factor.ts';
import { pendingCookie, trustedCookie } from '../../web/cookies.ts';
import { codeField, credentialField, methodField, nextField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { homePath, pathWithNext, safeNext, secondFactorPath } from '../../web/next.ts';
import { json, listOf, object, text } from '../../web/openapi/responses.ts';
import { sessionStarted } from '../../web/token-answer.ts';
import type { App, Request } from '../../web/types.ts';
import type { RouteOptions } from '../capability.ts';
import type { FactorParts } from './composition.ts';
import { addPasskeyOptions } from './passkey.routes.ts';
import { invalidFactor, loginOver } from './refusals.ts';
import { secondFactorView } from './views.ts';

/** The page Security, with a message that says how many recovery codes are left. */
const recoveredPath = '/account/security?state=9';

type SecondFactorParts = Pick<FactorParts, 'secondFactor' | 'factors'>;

const tag = 'Sign in';
const methods = listOf(text('totp'), 'The ways to go on, the best first');
const tokenField = {
  maxLength: 100,
  description: 'The waiting login, for programs',
  examples: ['m9wTrqmiCb1pEU9oSIvH5g…'],
} as const;

export function addSecondFactor(app: App, parts: () => SecondFactorParts, options: RouteOptions): void {
  const { https, features } = options;
  const { TRUSTED_BROWSER_DAYS: trustedBrowserDays } = options.settings;
  const [pending, trusted] = [pendingCookie(https), trustedCookie(https, trustedBrowserDays)];

  /** The secret of the pending login: the `mfa_token` of a program, or the cookie of a page. */
  const secretOf = ({ headers }: Request, token = '') => token || (pending.read(headers.cookie) ?? '');

  addForm(app, [secondFactorPath, '/api/second-factor'], {
    summary: 'Second factor',
    description: 'Finishes a login that waits for a second factor. Both responses set the session cookie.',
    tag,
    config: { refusals: [invalidFactor, loginOver, tooManyCodes] },
    view: secondFactorView,
    fields: {
      mfa_token: tokenField,
      method: methodField,
      code: codeField,
      credential: credentialField,
      trust_browser: { description: '`on`, to be asked no more in this browser for some days' },
      next: nextField,
    },
    shown: json('The login waits', object('The login that waits', { methods })),
    answer: sessionStarted,
    browser: 'To the home page or `next`, after a recovery code to the page Security',
    async show(request, { mfa_token: token, method }) {
      const { methods } = await parts().secondFactor.open(secretOf(request, token), request.caller);
      const shown = methods.find((one) => one === method) ?? methods[0];
      return { methods, method: shown, others: methods.filter((one) => one !== shown), trustedBrowserDays };
    },
    async submit(request, reply, { mfa_token: token, method = 'totp', code, credential, trust_browser: trust, next }) {
      const { presented, caller, headers, language } = request;
      const trustsBrowser = trust === 'on' && trustedBrowserDays > 0;
      const step = { method, code, credential, trustsBrowser, presented, language, headers };
      const finished = await parts().secondFactor.finish(secretOf(request, token), step, caller);
      reply.header('set-cookie', pending.removal);
      if (finished.trustedBrowser !== undefined) reply.header('set-cookie', trusted.header(finished.trustedBrowser));
      const place = safeNext(next);
      // A user of a recovery code has lost a factor. Right after the login, the user can replace it without another proof of identity.
      const to = method === 'recovery_code' ? pathWithNext(recoveredPath, place) : (place ?? homePath);
      return reply.proceed(to, reply.answerLogin(finished));
    },
  });

  if (features.passkeyDomain === undefined) return;
  addPasskeyOptions(app, https, [`${secondFactorPath}/options`, '/api/second-factor/options'], {
    summary: 'Ask for a passkey as the second factor',
    tag,
    fields: { mfa_token: tokenField },
    config: { openedAt: secondFactorPath, refusals: [loginOver] },
    async find(request, bind, { mfa_token: token }) {
      const { secondFactor, factors } = parts();
      const { pending, account } = await secondFactor.open(secretOf(request, token), request.caller);
      return factors.passkeys.requestOptions(bind(challengePurposes.secondStep(pending.id)), account.user);
    },
  });
}
