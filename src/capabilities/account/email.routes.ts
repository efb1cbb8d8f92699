import { changeRefusals } from '../../core/access/change-refusals.ts';
import { loginMessages } from '../../core/access/refusal.ts';
import type { Core } from '../../core/core.ts';
import { detailAnswer, linkAnswer, tokenField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import { accountPath } from '../../web/next.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import type { createChangeEmail } from './email.ts';
import { emailExpired, emailPath, offerExpired } from './email.ts';
import { currentPasswordField, emailField } from './fields.ts';
import { confirmEmailView } from './views.ts';

const lastAdministrator = changeRefusals['last-administrator'];

const sent = 'A link is on its way to the new address';
const confirmed = 'Address changed';

type Parts = Pick<Core, 'access'> & {
  readonly changeEmail: ReturnType<typeof createChangeEmail>;
};

export function addChangeEmail(app: App, parts: () => Parts): void {
  addForm(app, [emailPath, '/api/account/email'], {
    summary: 'Change the address',
    description: 'Mails a link to the new address. The old one stays until the link is used.',
    tag: 'Account',
    config: {
      signedIn: true,
      freshProof: { page: ({ account }) => account.changeEmail },
      refusals: [lastAdministrator],
    },
    view: view('capabilities/account/email'),
    fields: { current_password: currentPasswordField, email: emailField },
    answer: detailAnswer(sent),
    status: 202,
    browser: 'To the account page, with a message',
    show: ({ user }) => ({ username: user.username }),
    async submit(request, reply, { email }) {
      const { language, caller } = request;
      await parts().changeEmail.request(signedInOf(request), provedOf(request), email, language, caller);
      return reply.proceed(`${accountPath}?state=2`, { detail: sent });
    },
  });

  addForm(app, ['/auth/confirm-email', '/api/confirm-email'], {
    summary: 'Confirm the new address',
    tag: 'Account',
    config: { refusals: [emailExpired, lastAdministrator] },
    view: confirmEmailView,
    fields: { token: tokenField },
    shown: linkAnswer(),
    answer: detailAnswer(confirmed),
    browser: 'To the account page with a message, or to the login page with message 10 if its user is not signed in',
    show: async ({ caller }, { token = '' }) => ({ email: (await parts().changeEmail.open(token, caller)).address }),
    async submit({ format, presented, language, caller }, reply, { token = '' }) {
      const { access, changeEmail } = parts();
      const signedIn = format === 'html' ? await access.findSignedIn(presented) : undefined;
      const userId = await changeEmail.confirm(token, language, caller);
      const isOwner = signedIn?.user.id === userId;
      const to = isOwner ? `${accountPath}?state=3` : loginPath(loginMessages.emailChanged);
      return reply.proceed(to, { detail: confirmed });
    },
  });

  addForm(app, ['/account/confirm-email', '/api/account/confirm-email'], {
    summary: 'Confirm the address that an administrator offers',
    description: 'The link counts only for the user to whose account it belongs.',
    tag: 'Account',
    config: {
      signedIn: true,
      freshProof: { page: ({ confirmEmail }) => confirmEmail.heading },
      refusals: [offerExpired, lastAdministrator],
    },
    view: confirmEmailView,
    fields: { token: tokenField },
    shown: linkAnswer(),
    answer: detailAnswer(confirmed),
    browser: 'To the account page, with a message',
    async show(request, { token = '' }) {
      const signedIn = signedInOf(request);
      const { address } = await parts().changeEmail.openOffered(token, signedIn, request.caller);
      return { email: address, offered: true, former: signedIn.user.username };
    },
    async submit(request, reply, { token = '' }) {
      await parts().changeEmail.confirmOffered(token, signedInOf(request), request.language, request.caller);
      return reply.proceed(`${accountPath}?state=3`, { detail: confirmed });
    },
  });
}
