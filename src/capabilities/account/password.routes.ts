import { insufficientUserAuthentication } from '../../core/access/fresh-proof.ts';
import { loginMessages } from '../../core/access/refusal.ts';
import type { Core } from '../../core/core.ts';
import { addForm } from '../../web/form.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import { accountPath } from '../../web/next.ts';
import { detailWithTokens, tokenFields } from '../../web/token-answer.ts';
import type { App } from '../../web/types.ts';
import { currentPasswordField, newPasswordField } from './fields.ts';
import { ownPassword } from './options.ts';
import type { createChangePassword } from './password.ts';

const detail = 'Password changed';

const endTokensField = { description: '`on` to end the personal access tokens too' } as const;

type Parts = Pick<Core, 'registry' | 'requireFresh'> & {
  readonly changePassword: ReturnType<typeof createChangePassword>;
};

export function addChangePassword(app: App, parts: () => Parts): void {
  addForm(app, ['/account/password', '/api/account/password'], {
    summary: 'Change the password',
    description:
      'Ends all other sessions. This one goes on with new credentials. Both responses set the session cookie.',
    tag: 'Account',
    config: { signedIn: true, refusals: [insufficientUserAuthentication] },
    view: 'capabilities/account/password',
    fields: { current_password: currentPasswordField, new_password: newPasswordField, end_tokens: endTokensField },
    // The session may have ended while the password was changed. There are no tokens then.
    answer: detailWithTokens(detail, detail, Object.keys(tokenFields)),
    browser: 'To the account page, with a message',
    show: async ({ user }) => ({ username: user.username, ...(await ownPassword(parts(), user)) }),
    async submit(request, reply, { current_password, new_password: password, end_tokens }) {
      const { language, caller } = request;
      const signedIn = signedInOf(request);
      const account = await parts().requireFresh(signedIn, current_password, request);
      const change = { account, password, language, endsTokens: end_tokens === 'on', caller };
      const changed = await parts().changePassword(signedIn.session, change);
      if (changed === undefined) return reply.proceed(loginPath(loginMessages.passwordChanged), { detail });
      return reply.proceed(`${accountPath}?state=1`, { detail, ...reply.answerLogin(changed) });
    },
  });
}
