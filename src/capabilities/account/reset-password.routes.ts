import { loginMessages } from '../../core/access/refusal.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import type { Account } from '../../core/users/account.ts';
import { emailAddress } from '../../core/users/user.ts';
import type { Language } from '../../ground/languages/languages.ts';
import { detailAnswer, linkAnswer, nextField, tokenField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { loginPath } from '../../web/login-page.ts';
import { pathWithNext, safeNext } from '../../web/next.ts';
import type { App } from '../../web/types.ts';
import type { RouteOptions } from '../capability.ts';
import { emailField, newPasswordField, wayOnByMail } from './fields.ts';
import { resetMinutes } from './mails.ts';
import type { createResetPassword } from './reset-password.ts';
import { forgotPasswordPath, resetExpired } from './reset-password.ts';

const sent = 'If the address belongs to an account, a mail is on its way';
const done = 'Password changed. Log in with the new one';

interface Parts {
  readonly resetPassword: ReturnType<typeof createResetPassword>;
  readonly ports: Pick<JoinedPorts, 'listWaysIn'>;
}

export function addResetPassword(
  app: App,
  parts: () => Parts,
  { features, findApplication, loginPage }: Pick<RouteOptions, 'features' | 'findApplication' | 'loginPage'>,
): void {
  const name = features.secondFactor ? 'security' : features.upstreams.length > 0 ? 'sign-in-methods' : undefined;
  const page = name && `/account/${name}?state=8`;

  /** A reset keeps what signs in besides the password: the user should look at it before they go on. */
  async function findPlace(account: Account, next: string | undefined, language: Language) {
    if (page === undefined || (await parts().ports.listWaysIn(account, language)).length === 0) return next;
    if (next === undefined) return page;
    // Both may be too long. The page must not be what is left out.
    return safeNext(pathWithNext(page, next)) ?? page;
  }

  addForm(app, [forgotPasswordPath, '/api/forgot-password'], {
    summary: 'Forgot password',
    description: 'Mails a link to the owner of the account. The response is the same for every address.',
    tag: 'Account',
    view: 'capabilities/account/forgot-password',
    fields: { email: emailField, next: nextField },
    answer: detailAnswer(sent),
    status: 202,
    browser: 'To the same page, which says that a mail is on its way',
    async show({ headers }, typed) {
      // What was typed there may be no address, such as a password.
      const email = typed.email ?? emailAddress(loginPage.readFailure(headers.cookie)?.username ?? '');
      const { application } = await wayOnByMail(typed.next, findApplication);
      return { minutes: resetMinutes, values: { ...typed, email }, application };
    },
    async submit({ language, caller }, reply, { email, next }) {
      const wayOn = await wayOnByMail(next, findApplication);
      await parts().resetPassword.request(email, wayOn.next, language, caller);
      return reply.proceed(pathWithNext(`${forgotPasswordPath}?state=1`, next), { detail: sent });
    },
  });

  addForm(app, ['/auth/reset-password', '/api/reset-password'], {
    summary: 'Reset the password',
    description: 'Sets a new password and ends every session of the account. It does not sign in.',
    tag: 'Account',
    config: { refusals: [resetExpired] },
    view: 'capabilities/account/reset-password',
    fields: { token: tokenField, password: newPasswordField, next: nextField },
    shown: linkAnswer(),
    answer: detailAnswer(done),
    browser:
      'To the login page, with message 6, and then to the page with what else signs in to the account, or to `next`',
    show: async ({ caller }, { token = '' }) => ({ email: (await parts().resetPassword.open(token, caller)).address }),
    async submit({ language, caller }, reply, { token = '', password, next }) {
      const account = await parts().resetPassword.reset(token, password, language, caller);
      const place = await findPlace(account, safeNext(next), language);
      return reply.proceed(loginPath(loginMessages.passwordChanged, place), { detail: done });
    },
  });
}
