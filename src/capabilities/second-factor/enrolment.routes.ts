import { loginMessages } from '../../core/access/refusal.ts';
import { addAction } from '../../web/action.ts';
import { codeField, linkAnswer, nextField, tokenField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { loginPath } from '../../web/login-page.ts';
import { safeNext } from '../../web/next.ts';
import { json, object, text } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import type { FactorParts } from './composition.ts';
import { enrolmentPath, linkMinutes } from './enrolment.ts';
import { appSecret, codesSchema, withQrCode } from './fields.ts';
import { enrolmentExpired } from './refusals.ts';
import { enrolmentView } from './views.ts';

const tag = 'Second factors';
const detail = 'Authenticator app added. Log in with it';

/**
 * Adds the page behind the link of a user who must add a factor. Opening it changes nothing, because mail scanners open links: a button
 * shows the secret (VM-64).
 */
export function addEnrolment(app: App, parts: () => Pick<FactorParts, 'enrolment'>): void {
  addForm(app, [enrolmentPath, '/api/enrol-factor'], {
    summary: 'Add the first factor by a link',
    description: 'Enables the authenticator app and ends every session of the account. It does not sign in.',
    tag,
    config: { refusals: [enrolmentExpired] },
    view: enrolmentView,
    fields: { token: tokenField, code: { ...codeField, required: true }, next: nextField },
    shown: linkAnswer(['email']),
    answer: json('The app was added', object(detail, { detail: text(detail), recovery_codes: codesSchema })),
    browser: 'The page with the recovery codes, which leads to the login page',
    async show({ caller, query }, { token = '', next }) {
      // Without a link, the page says that one was mailed.
      if (token === '' && (query as Readonly<Record<string, unknown>>).state === '1')
        return { minutes: linkMinutes, next: safeNext(next) };
      const { user } = await parts().enrolment.open(token, caller);
      return { email: user.username };
    },
    async submit({ language, caller }, reply, { token = '', code, next }) {
      const { codes, email } = await parts().enrolment.finish(token, code, language, caller);
      return reply.send({ detail, recovery_codes: codes, email, next: loginPath(loginMessages.factorAdded, next) });
    },
  });

  addAction(app, [`${enrolmentPath}/begin`, '/api/enrol-factor/begin'], {
    method: 'POST',
    summary: 'Begin to add the first factor by a link',
    tag,
    fields: { token: tokenField, next: nextField },
    config: { view: enrolmentView, openedAt: '/auth/login', refusals: [enrolmentExpired] },
    answer: appSecret,
    browser: 'The page with the QR code',
    handle: async ({ caller }, _reply, { token = '', next }) =>
      withQrCode(await parts().enrolment.begin(token, caller), { token, next }),
  });
}
