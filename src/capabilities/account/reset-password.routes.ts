import { loginMessages } from '../../core/access/refusal.ts';
import { detailAnswer, linkAnswer, tokenField } from '../../web/fields.ts';
import type { FlowOptions } from '../../web/flow-options.ts';
import { addForm } from '../../web/form.ts';
import { loginPath } from '../../web/login-page.ts';
import type { App } from '../../web/types.ts';
import { emailField, newPasswordField } from './fields.ts';
import { resetMinutes } from './mails.ts';
import type { createResetPassword } from './reset-password.ts';
import { forgotPasswordPath, resetExpired } from './reset-password.ts';

const sent = 'If the address belongs to an account, a mail is on its way';
const done = 'Password changed. Log in with the new one';

type Parts = { readonly resetPassword: ReturnType<typeof createResetPassword> };

export function addResetPassword(app: App, parts: () => Parts, { features }: Pick<FlowOptions, 'features'>): void {
  /** A reset keeps what signs in besides the password: the user should look at it. */
  const page = features.secondFactor ? 'security' : features.upstreams.length > 0 ? 'sign-in-methods' : undefined;
  const next = page && `/account/${page}?state=8`;

  addForm(app, [forgotPasswordPath, '/api/forgot-password'], {
    summary: 'Forgot password',
    description: 'Mails a link to the owner of the account. The response is the same for every address.',
    tag: 'Account',
    view: 'capabilities/account/forgot-password',
    fields: { email: emailField },
    answer: detailAnswer(sent),
    status: 202,
    browser: 'To the same page, which says that a mail is on its way',
    show: () => ({ minutes: resetMinutes }),
    async submit({ language, caller }, reply, { email }) {
      await parts().resetPassword.request(email, language, caller);
      return reply.proceed(`${forgotPasswordPath}?state=1`, { detail: sent });
    },
  });

  addForm(app, ['/auth/reset-password', '/api/reset-password'], {
    summary: 'Reset the password',
    description: 'Sets a new password and ends every session of the account. It does not sign in.',
    tag: 'Account',
    config: { refusals: [resetExpired] },
    view: 'capabilities/account/reset-password',
    fields: { token: tokenField, password: newPasswordField },
    shown: linkAnswer(),
    answer: detailAnswer(done),
    browser: 'To the login page, with message 6, and then to the page with what else signs in to the account',
    show: async ({ caller }, { token = '' }) => ({ email: (await parts().resetPassword.open(token, caller)).address }),
    async submit({ language, caller }, reply, { token = '', password }) {
      await parts().resetPassword.reset(token, password, language, caller);
      return reply.proceed(loginPath(loginMessages.passwordChanged, next), { detail: done });
    },
  });
}
