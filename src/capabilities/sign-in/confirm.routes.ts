import { tooManyCodes } from '../../core/access/factor.ts';
import { maxPasswordBytes } from '../../core/passwords/passwords.ts';
import { codeField, credentialField, methodField, nextField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { accountPath, safeNext } from '../../web/next.ts';
import { detailWithTokens } from '../../web/token-answer.ts';
import type { App } from '../../web/types.ts';
import type { Confirm } from './confirm.ts';
import { tooManyConfirmations } from './refusals.ts';

export interface ConfirmParts {
  readonly confirm: Confirm;
}

const fields = {
  password: {
    maxLength: maxPasswordBytes,
    description: 'The password of the account',
    format: 'password',
    examples: ['password'],
  },
  method: methodField,
  code: { ...codeField, description: 'The code of the second factor, if the account has one' },
  credential: {
    ...credentialField,
    description: 'What the browser got from a passkey, as JSON. It needs no password',
  },
  next: nextField,
} as const;

export function addConfirm(app: App, parts: () => ConfirmParts): void {
  addForm(app, ['/auth/confirm', '/api/confirm'], {
    summary: 'Confirm your identity',
    description:
      'Checks the user again: the password and, if the account has one, a second factor; or a passkey alone. The session stays and gets new credentials; the old ones become invalid. Both responses set the session cookie.',
    tag: 'Sign in',
    config: { signedIn: true, refusals: [tooManyConfirmations, tooManyCodes] },
    view: 'capabilities/sign-in/confirm',
    fields,
    answer: detailWithTokens('The session has new credentials', 'Confirmed'),
    browser: 'To `next`, or to the account page',
    async show(request, { method }) {
      const { user } = request;
      const { confirm } = parts();
      const { methods, providers, hasPassword } = await confirm.waysOf(signedInOf(request));
      const proved = confirm.isProved(signedInOf(request), request.headers);
      const codes = methods.filter((one) => one !== 'passkey');
      const shown = codes.find((one) => one === method) ?? codes[0];
      const others = codes.filter((one) => one !== shown);
      const usable = Object.keys(fields).filter((name) => hasPassword || name !== 'password');
      return {
        fields: usable,
        username: user.username,
        methods,
        providers,
        hasPassword,
        proved,
        method: shown,
        others,
      };
    },
    async submit(request, reply, { password, method = 'totp', code, credential, next }) {
      const sent = { password, method, code, credential };
      const confirmed = await parts().confirm.confirm(signedInOf(request), sent, request);
      const tokens = reply.answerLogin(confirmed);
      return reply.proceed(safeNext(next) ?? accountPath, { detail: 'Confirmed', ...tokens });
    },
  });
}
