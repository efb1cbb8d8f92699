import { loginMessages } from '../../core/access/refusal.ts';
import { endTokensField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import { accountPath } from '../../web/next.ts';
import { detailWithTokens, tokenFields } from '../../web/token-answer.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import { currentPasswordField, newPasswordField } from './fields.ts';
import type { createChangePassword } from './password.ts';

const detail = 'Password changed';

interface Parts {
  readonly changePassword: ReturnType<typeof createChangePassword>;
}

export function addChangePassword(app: App, parts: () => Parts): void {
  addForm(app, ['/account/password', '/api/account/password'], {
    summary: 'Change the password',
    description:
      'Ends all other sessions. This one goes on with new credentials. Both responses set the session cookie.',
    tag: 'Account',
    config: { signedIn: true, freshProof: { page: ({ account }) => account.changePassword } },
    view: view('capabilities/account/password'),
    fields: { current_password: currentPasswordField, new_password: newPasswordField, end_tokens: endTokensField },
    // The response has no tokens if the session has ended while the password was changed.
    answer: detailWithTokens(detail, detail, Object.keys(tokenFields)),
    browser: 'To the account page, with a message',
    show: ({ user }) => ({ username: user.username }),
    async submit(request, reply, { new_password: password, end_tokens }) {
      const { language, caller } = request;
      const change = { account: provedOf(request), password, language, endsTokens: end_tokens === 'on', caller };
      const changed = await parts().changePassword(signedInOf(request).session, change);
      if (changed === undefined) return reply.proceed(loginPath(loginMessages.passwordChanged), { detail });
      return reply.proceed(`${accountPath}?state=1`, { detail, ...reply.answerLogin(changed) });
    },
  });
}
