import { either, json, object, page, redirect, settingCookies } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';

/** Only what is listed is ever sent, whatever the handler returns (ASVS 15.3.1). */
const meSchema = object('The one who is signed in', {
  username: { type: 'string' },
  first_name: { type: 'string' },
  last_name: { type: 'string' },
});

export function addMeRoutes(app: App): void {
  for (const url of ['/admin/me', '/api/me']) {
    const signedIn = json('The one who is signed in', meSchema, {
      username: 'behai_nguyen@hotmail.com',
      first_name: 'Be Hai',
      last_name: 'Doe',
    });
    app.get(
      url,
      {
        config: {
          signedIn: true,
          view: 'account/me',
          problems: [500, 503],
        },
        schema: {
          summary: 'Who am I',
          tags: ['Who am I'],
          security: [{ session: [] }, { password: [] }],
          response: {
            200: url.startsWith('/api/') ? signedIn : either(page('The page My Info'), signedIn),
            ...(url.startsWith('/api/')
              ? {}
              : { 303: settingCookies(redirect('Pages: to the login page, for someone signed out')) }),
          },
        },
      },
      async ({ user }) => ({ username: user.username, first_name: user.firstName, last_name: user.lastName }),
    );
  }
}
