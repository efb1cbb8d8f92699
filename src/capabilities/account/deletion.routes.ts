import { changeRefusals } from '../../core/access/change-refusals.ts';
import { loginMessages } from '../../core/access/refusal.ts';
import { detailAnswer } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import type { createDeleteAccount } from './deletion.ts';
import { currentPasswordField } from './fields.ts';

const detail = 'Account deleted';

interface Parts {
  readonly deleteAccount: ReturnType<typeof createDeleteAccount>;
}

export function addDeleteAccount(app: App, parts: () => Parts): void {
  addForm(app, ['/account/delete', '/api/account/delete'], {
    summary: 'Delete the account',
    description: 'Deletes the account with its sessions and links. The audit keeps its events, by id.',
    tag: 'Account',
    config: {
      signedIn: true,
      freshProof: { page: ({ account }) => account.delete },
      refusals: [changeRefusals['last-administrator']],
    },
    view: view('capabilities/account/delete'),
    fields: { current_password: currentPasswordField },
    answer: detailAnswer(detail),
    browser: 'To the login page, with message 7',
    show: ({ user }) => ({ username: user.username }),
    async submit(request, reply) {
      await parts().deleteAccount(signedInOf(request), provedOf(request), request.language, request.caller);
      if (request.format === 'html') reply.clearSessionCookie();
      return reply.proceed(loginPath(loginMessages.accountDeleted), { detail });
    },
  });
}
