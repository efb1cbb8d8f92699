import { loginMessages } from '../access/refusal.ts';
import { addAction } from '../web/action.ts';
import { bodyField } from '../web/body-field.ts';
import { ambiguousCredential } from '../web/hooks/credentials.ts';
import { loginPath } from '../web/login-page.ts';
import { json, object, settingCookies } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';
import type { LogOut } from './log-out.ts';
import { noSession, sessionOver } from './refusals.ts';

const logoutSchema = object('The session has ended', { detail: { type: 'string' } });

export interface LogOutParts {
  readonly logOut: LogOut;
}

export function addLogOut(app: App, parts: () => LogOutParts): void {
  addAction(app, ['/auth/logout', '/api/logout'], {
    method: 'POST',
    summary: 'Log out',
    description: 'Ends every session that the client presents. All its credentials become invalid at once.',
    tag: 'Sign in',
    config: { takesCredentials: true, refusals: [noSession, sessionOver, ambiguousCredential] },
    answer: settingCookies(json('The session has ended', logoutSchema, { detail: 'Logged out' })),
    browser: 'Pages: to the login page, with message 1 if there was no session, or 5 if it had already ended',
    async handle({ presented, caller, body }, reply) {
      // The button on our pages sends `signed_in`. The cookie may be gone, because another window has logged out.
      const wasSignedIn = bodyField(body, 'signed_in') !== undefined;
      await parts().logOut(presented, caller, wasSignedIn);
      return reply.clearSessionCookie().proceed(loginPath(loginMessages.loggedOut), { detail: 'Logged out' });
    },
  });
}
