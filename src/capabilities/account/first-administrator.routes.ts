import { tokenField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { detailWithTokens, tokenFields } from '../../web/token-answer.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import { emailField, nameFields, newPasswordField } from './fields.ts';
import {
  type createFirstAdministrator,
  firstAdministratorExpired,
  firstAdministratorPath,
} from './first-administrator.ts';
import { answerNewAccount } from './sign-up.routes.ts';

export function addFirstAdministrator(
  app: App,
  parts: () => { readonly firstAdministrator: ReturnType<typeof createFirstAdministrator> },
): void {
  addForm(app, [firstAdministratorPath, '/api/first-administrator'], {
    summary: 'Make the first administrator',
    description:
      'Adds a user to `admins` and signs them in, by the link in the log of `janua serve --migrate`. Both responses set the session cookie. If the user cannot be signed in now, there are no tokens: they can log in.',
    tag: 'Account',
    config: { refusals: [firstAdministratorExpired] },
    view: view('capabilities/account/first-administrator'),
    fields: { token: tokenField, email: emailField, ...nameFields, password: newPasswordField },
    answer: detailWithTokens('The administrator was added', 'Account created', Object.keys(tokenFields)),
    status: 201,
    browser: 'To the home page, or to the login page with message 11',
    async show({ caller }, typed) {
      await parts().firstAdministrator.open(typed.token ?? '', caller);
      return { values: typed };
    },
    async submit({ presented, language, headers, caller }, reply, entered) {
      const asked = { presented, language, headers, caller, next: undefined };
      const admitted = await parts().firstAdministrator.add(entered, asked);
      return answerNewAccount(reply, admitted, undefined);
    },
  });
}
