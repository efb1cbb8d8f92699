import { maxPasswordBytes } from '../passwords/passwords.ts';
import { addForm } from '../web/form.ts';
import { bodyLimit } from '../web/hooks/bodies.ts';
import { signedInOf } from '../web/hooks/credentials.ts';
import { accountPath, safeNext } from '../web/next.ts';
import { json, settingCookies } from '../web/openapi/responses.ts';
import { type AnswerLogin, detailWithTokens, exampleTokens } from '../web/token-answer.ts';
import type { App } from '../web/types.ts';
import type { Confirm } from './confirm.ts';
import { tooManyConfirmations } from './refusals.ts';

export interface ConfirmParts {
  readonly confirm: Confirm;
}

/** Adds the page that asks a signed-in user for the password again, before a change that wants a fresh proof. */
export function addConfirm(
  app: App,
  parts: () => ConfirmParts,
  { answerLogin }: { readonly answerLogin: AnswerLogin },
): void {
  addForm(app, ['/auth/confirm', '/api/confirm'], {
    summary: 'Confirm your identity',
    description:
      'Checks the password again. The session stays and gets new credentials; the old ones become invalid. Both responses set the session cookie.',
    tag: 'Sign in',
    config: { signedIn: true, refusals: [tooManyConfirmations] },
    view: 'sign-in/confirm',
    fields: {
      password: {
        required: true,
        maxLength: maxPasswordBytes,
        description: 'The password of the account',
        format: 'password',
      },
      next: {
        // An unsafe or too long one is ignored.
        maxLength: bodyLimit,
        description: 'For pages: the path to go to afterwards',
        inLink: true,
        examples: ['/account'],
      },
    },
    example: { password: 'password' },
    answer: settingCookies(
      json('The session has new credentials', detailWithTokens('The session has new credentials'), {
        detail: 'Confirmed',
        ...exampleTokens,
      }),
    ),
    browser: 'To `next`, or to the account page',
    show: ({ user }) => ({ username: user.username }),
    async submit(request, reply, { password, next }) {
      const confirmed = await parts().confirm(signedInOf(request), password, request);
      const tokens = answerLogin(request, reply, confirmed);
      return reply.proceed(safeNext(next) ?? accountPath, { detail: 'Confirmed', ...tokens });
    },
  });
}
