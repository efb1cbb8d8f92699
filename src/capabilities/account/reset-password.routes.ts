import { loginMessages } from '../../core/access/refusal.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import type { Account } from '../../core/users/account.ts';
import { emailAddress } from '../../core/users/user.ts';
import type { Language } from '../../ground/languages/languages.ts';
import { createCookie } from '../../web/cookies.ts';
import { detailAnswer, linkAnswer, nextField, tokenField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { loginPath } from '../../web/login-page.ts';
import { pathWithNext, safeNext } from '../../web/next.ts';
import type { App, Reply, Request } from '../../web/types.ts';
import { view } from '../../web/view.ts';
import type { RouteOptions } from '../capability.ts';
import { emailField, findNextForMail, newPasswordField } from './fields.ts';
import type { createResetPassword } from './reset-password.ts';
import { forgotPasswordPath, resetExpired, resetMinutes } from './reset-password.ts';
import { forgotPasswordView } from './views.ts';

const sent = 'If the address belongs to an account, a mail is on its way';
const done = 'Password changed. Log in with the new one';

interface Parts {
  readonly resetPassword: ReturnType<typeof createResetPassword>;
  readonly ports: Pick<JoinedPorts, 'listOtherSignIns'>;
}

type ResetRouteOptions = Pick<RouteOptions, 'features' | 'findApplication' | 'loginPage' | 'https'>;

/**
 * Keeps a `next` that a mail may not contain (see `findNextForMail`) in a cookie of the browser that requests the mail, until the link
 * expires. The cookie is not signed, because `next` is checked again when it is read, and no decision depends on it.
 */
function createKeptNext(https: boolean) {
  const cookie = createCookie('reset-next', https, resetMinutes * 60);
  return {
    /** The `Set-Cookie` for this `next`, or the one that removes the cookie. Undefined if there is nothing to remove. */
    change(header: string | undefined, next: string | undefined): string | undefined {
      if (next !== undefined) return cookie.header(Buffer.from(next).toString('base64url'));
      return cookie.amount(header) === 'none' ? undefined : cookie.removal;
    },
    read: (header: string | undefined) => safeNext(Buffer.from(cookie.read(header) ?? '', 'base64url').toString()),
  };
}

export function addResetPassword(
  app: App,
  parts: () => Parts,
  { features, findApplication, loginPage, https }: ResetRouteOptions,
): void {
  const keptNext = createKeptNext(https);

  /** A program is not redirected, so it gets no cookie. */
  function keepNext({ format, headers }: Request, reply: Reply, next?: string): void {
    const change = format === 'html' ? keptNext.change(headers.cookie, next) : undefined;
    if (change !== undefined) reply.header('set-cookie', change);
  }

  const name = features.secondFactor ? 'security' : features.upstreams.length > 0 ? 'sign-in-methods' : undefined;
  const page = name && `/account/${name}?state=8`;

  /** A reset ends no passkey, authenticator app or linked account. The user should look at these before going on. */
  async function findNextAfterReset(account: Account, next: string | undefined, language: Language) {
    if (page === undefined || (await parts().ports.listOtherSignIns(account, language)).length === 0) return next;
    if (next === undefined) return page;
    // The page with `next` in its query may be too long for `safeNext`. `next` is then dropped.
    return safeNext(pathWithNext(page, next)) ?? page;
  }

  addForm(app, [forgotPasswordPath, '/api/forgot-password'], {
    summary: 'Forgot password',
    description: 'Mails a link to the owner of the account. The response is the same for every address.',
    tag: 'Account',
    view: forgotPasswordView,
    fields: { email: emailField, next: nextField },
    answer: detailAnswer(sent),
    status: 202,
    browser: 'To the same page, which says that a mail is on its way',
    async show({ headers }, typed) {
      // Fills in the name of the failed login only if it is an address. The user may have typed a password in its place.
      const email = typed.email ?? emailAddress(loginPage.readFailure(headers.cookie)?.username ?? '');
      const { application } = await findNextForMail(typed.next, findApplication);
      return { minutes: resetMinutes, values: { ...typed, email }, application };
    },
    async submit(request, reply, { email, next }) {
      const wayOn = await findNextForMail(next, findApplication);
      await parts().resetPassword.request(email, wayOn.next, request.language, request.caller);
      keepNext(request, reply, wayOn.next === undefined ? safeNext(next) : undefined);
      return reply.proceed(pathWithNext(`${forgotPasswordPath}?state=1`, next), { detail: sent });
    },
  });

  addForm(app, ['/auth/reset-password', '/api/reset-password'], {
    summary: 'Reset the password',
    description: 'Sets a new password and ends every session of the account. It does not sign in.',
    tag: 'Account',
    config: { refusals: [resetExpired] },
    view: view('capabilities/account/reset-password'),
    fields: { token: tokenField, password: newPasswordField, next: nextField },
    shown: linkAnswer(),
    answer: detailAnswer(done),
    browser:
      'To the login page, with message 6, and then to the page with what else signs in to the account, or to `next`',
    show: async ({ caller }, { token = '' }) => ({ email: (await parts().resetPassword.open(token, caller)).address }),
    async submit(request, reply, { token = '', password, next }) {
      const { language, caller, headers } = request;
      const account = await parts().resetPassword.reset(token, password, language, caller);
      const place = await findNextAfterReset(account, safeNext(next) ?? keptNext.read(headers.cookie), language);
      keepNext(request, reply);
      return reply.proceed(loginPath(loginMessages.passwordChanged, place), { detail: done });
    },
  });
}
