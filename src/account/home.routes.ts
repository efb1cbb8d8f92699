import { page, redirect, settingCookies } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';

export function addHome(app: App): void {
  app.get(
    '/auth/home',
    {
      config: {
        signedIn: true,
        view: 'account/home',
        pageOnly: true,
        problems: [500, 503],
      },
      schema: {
        summary: 'Home page',
        description: 'Where a login leads. A page for everyone signed in; signed out, the answer follows the format.',
        tags: ['Pages'],
        security: [{ session: [] }, { password: [] }],
        response: {
          200: page('The home page'),
          303: settingCookies(redirect('Pages: to the login page, for someone signed out')),
        },
      },
    },
    async ({ user }) => ({ first_name: user.firstName }),
  );
}
