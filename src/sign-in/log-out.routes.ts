import type { Identity } from '../access/identity.ts';
import { json, object, redirect, settingCookies } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';
import { loginPath } from './login-messages.ts';

const logoutSchema = object('The session has ended', { detail: { type: 'string' } });

export function addLogoutRoutes(app: App, { identity }: { identity: Identity }): void {
  for (const url of ['/auth/logout', '/api/logout']) {
    app.post(
      url,
      {
        config: { refusals: ['no-session', 'ambiguous-credential', 'cross-site'], problems: [400, 413, 415, 500, 503] },
        schema: {
          summary: 'Log out',
          description: 'Ends every session that is presented, with all credentials bound to it, at once.',
          tags: ['Sign in'],
          security: [{ session: [] }, { password: [] }],
          response: {
            200: settingCookies(json('The session has ended', logoutSchema, { detail: 'Logged out' })),
            ...(url.startsWith('/api/')
              ? {}
              : {
                  303: settingCookies(redirect('Pages: to the login page, with message 1 when there was no session')),
                }),
          },
        },
      },
      async (request, reply) => {
        await identity.logOut(request.presented, request.caller);
        return reply.clearSessionCookie().proceed(loginPath(0), { detail: 'Logged out' });
      },
    );
  }
}
