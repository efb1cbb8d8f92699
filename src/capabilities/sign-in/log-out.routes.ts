import { loginMessages } from '../../core/access/refusal.ts';
import type { FactorPort } from '../../core/ports.ts';
import { addAction } from '../../web/action.ts';
import { bodyField } from '../../web/body-field.ts';
import { pendingCookie } from '../../web/cookies.ts';
import { detailAnswer } from '../../web/fields.ts';
import { ambiguousCredential } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import { settingCookies } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import type { LogOut } from './log-out.ts';
import { noSession, sessionOver } from './refusals.ts';

export interface LogOutParts {
  readonly logOut: LogOut;
  readonly ports: { readonly factors: Pick<FactorPort, 'abandon'> };
}

export function addLogOut(app: App, parts: () => LogOutParts, { https }: { readonly https: boolean }): void {
  const pending = pendingCookie(https);
  addAction(app, ['/auth/logout', '/api/logout'], {
    method: 'POST',
    summary: 'Log out',
    description:
      'Ends every session that the client presents, and a login that waits for its second factor. All credentials become invalid at once.',
    tag: 'Sign in',
    config: { takesCredentials: true, refusals: [noSession, sessionOver, ambiguousCredential] },
    answer: settingCookies(detailAnswer('Logged out')),
    browser: 'Pages: to the login page, with message 1 if there was no session, or 5 if it had already ended',
    async handle({ presented, caller, body, headers }, reply) {
      const waiting = pending.read(headers.cookie);
      if (waiting !== undefined) {
        reply.header('set-cookie', pending.removal);
        await parts().ports.factors.abandon(waiting);
      }
      // The button on our pages sends `signed_in`. The cookie may be gone, because another window has logged out.
      const wasSignedIn = bodyField(body, 'signed_in') !== undefined;
      await parts().logOut(presented, caller, wasSignedIn);
      return reply.answerLogOut().proceed(loginPath(loginMessages.loggedOut), { detail: 'Logged out' });
    },
  });
}
