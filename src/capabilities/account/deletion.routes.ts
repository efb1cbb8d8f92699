import { changeRefusals } from '../../core/access/change-refusals.ts';
import { insufficientUserAuthentication } from '../../core/access/fresh-proof.ts';
import { loginMessages } from '../../core/access/refusal.ts';
import type { Core } from '../../core/core.ts';
import { detailAnswer } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import type { App } from '../../web/types.ts';
import type { createDeleteAccount } from './deletion.ts';
import { currentPasswordField } from './fields.ts';
import { ownPassword } from './options.ts';

const detail = 'Account deleted';

type Parts = Pick<Core, 'registry' | 'requireFresh'> & {
  readonly deleteAccount: ReturnType<typeof createDeleteAccount>;
};

export function addDeleteAccount(app: App, parts: () => Parts): void {
  addForm(app, ['/account/delete', '/api/account/delete'], {
    summary: 'Delete the account',
    description: 'Deletes the account with its sessions and links. The audit keeps its events, by id.',
    tag: 'Account',
    config: { signedIn: true, refusals: [insufficientUserAuthentication, changeRefusals['last-administrator']] },
    view: 'capabilities/account/delete',
    fields: { current_password: currentPasswordField },
    answer: detailAnswer(detail),
    browser: 'To the login page, with message 7',
    show: async ({ user }) => ({ username: user.username, ...(await ownPassword(parts(), user)) }),
    async submit(request, reply, { current_password }) {
      const signedIn = signedInOf(request);
      const account = await parts().requireFresh(signedIn, current_password, request);
      await parts().deleteAccount(signedIn, account, request.language, request.caller);
      if (request.format === 'html') reply.clearSessionCookie();
      return reply.proceed(loginPath(loginMessages.accountDeleted), { detail });
    },
  });
}
