import type { Admitted } from '../../core/access/admit.ts';
import { loginMessages } from '../../core/access/refusal.ts';
import { joinPath } from '../../core/users/invite-limits.ts';
import { isLanguage } from '../../ground/languages/languages.ts';
import { languageCookie } from '../../web/cookies.ts';
import { detailAnswer, linkAnswer, nextField, tokenField } from '../../web/fields.ts';
import type { FlowOptions } from '../../web/flow-options.ts';
import { addForm } from '../../web/form.ts';
import { loginPath } from '../../web/login-page.ts';
import { homePath, pathWithNext, safeNext } from '../../web/next.ts';
import { detailWithTokens, tokenFields } from '../../web/token-answer.ts';
import type { App, Reply } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import { emailField, findNextForMail, nameFields, newPasswordField } from './fields.ts';
import {
  type createFinishSignUp,
  type createJoin,
  type createSignUp,
  joinExpired,
  signUpExpired,
  signUpPath,
} from './sign-up.ts';
import { joinView, signUpView } from './views.ts';

const sent = 'If the address can be used, a mail is on its way';

export function addSignUp(
  app: App,
  parts: () => { readonly signUp: ReturnType<typeof createSignUp> },
  { findApplication }: Pick<FlowOptions, 'findApplication'>,
): void {
  addForm(app, [signUpPath, '/api/sign-up'], {
    summary: 'Sign up',
    description: 'Mails a link to the address. The response is the same for every address.',
    tag: 'Account',
    view: signUpView,
    fields: { email: emailField, next: nextField },
    answer: detailAnswer(sent),
    status: 202,
    browser: 'To the same page, which says that a mail is on its way',
    async show(_request, { next }) {
      const { application } = await findNextForMail(next, findApplication);
      return { application };
    },
    async submit({ language, caller }, reply, { email, next }) {
      const wayOn = await findNextForMail(next, findApplication);
      await parts().signUp.request(email, wayOn.next, language, caller);
      return reply.proceed(pathWithNext(`${signUpPath}?state=1`, next), { detail: sent });
    },
  });
}

/** Adds the page behind a link by which many users may join. */
export function addJoin(app: App, parts: () => { readonly join: ReturnType<typeof createJoin> }): void {
  addForm(app, [joinPath, '/api/join'], {
    summary: 'Join by a link for many',
    description:
      'Mails a link to the address, which creates the account. The response is the same for every address of the allowed domain.',
    tag: 'Account',
    config: { refusals: [joinExpired] },
    view: joinView,
    fields: { token: { ...tokenField, description: 'The token of the link' }, email: emailField },
    answer: detailAnswer(sent),
    status: 202,
    browser: 'To the same page, which says that a mail is on its way',
    async show({ caller, query }, { token = '' }) {
      // After the redirect, the address of the page has no token.
      const isSent = (query as Readonly<Record<string, unknown>>).state !== undefined;
      return { domain: isSent && token === '' ? '' : (await parts().join.open(token, caller)).domain };
    },
    async submit({ language, caller }, reply, { token = '', email }) {
      await parts().join.request(token, email, language, caller);
      return reply.proceed(`${joinPath}?state=1`, { detail: sent });
    },
  });
}

/** Answers that the account was created. @param admitted undefined if its owner has to log in */
export function answerNewAccount(reply: Reply, admitted: Admitted | undefined, next: string | undefined) {
  if (admitted === undefined)
    return reply.proceed(loginPath(loginMessages.accountCreated, next), { detail: 'Account created. Please log in' });
  return reply.proceed(next ?? homePath, { detail: 'Account created', ...reply.answerLogin(admitted) });
}

/** Adds the page behind the link of a sign-up or an invitation. */
export function addFinishSignUp(
  app: App,
  parts: () => { readonly finishSignUp: ReturnType<typeof createFinishSignUp> },
  { https }: { readonly https: boolean },
): void {
  const languageChoice = languageCookie(https);
  addForm(app, [`${signUpPath}/finish`, '/api/sign-up/finish'], {
    summary: 'Finish the sign-up',
    description:
      'Creates the account and signs its owner in. Both responses set the session cookie. If the owner cannot be signed in now, there are no tokens: they can log in.',
    tag: 'Account',
    config: { refusals: [signUpExpired] },
    view: view('capabilities/account/finish-sign-up'),
    fields: { token: tokenField, next: nextField, ...nameFields, password: newPasswordField },
    shown: linkAnswer(),
    answer: detailWithTokens('The account was created', 'Account created', Object.keys(tokenFields)),
    status: 201,
    browser: 'To the home page or `next`, or to the login page with message 11',
    async show({ caller }, typed) {
      const { address, account } = await parts().finishSignUp.open(typed.token ?? '', caller);
      const names = account && { first_name: account.user.firstName, last_name: account.user.lastName };
      return { email: address, values: { ...names, ...typed } };
    },
    async submit(request, reply, entered) {
      const typed = languageChoice.read(request.headers.cookie);
      const chosen = isLanguage(typed) ? typed : undefined;
      const { presented, language, headers, caller } = request;
      const next = safeNext(entered.next);
      const asked = { presented, language, headers, caller, next };
      const admitted = await parts().finishSignUp.finish(entered, chosen, asked);
      return answerNewAccount(reply, admitted, next);
    },
  });
}
