import { page } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';

export function addHome(app: App): void {
  app.get(
    '/auth/home',
    {
      config: { signedIn: true, view: 'account/home', pageOnly: true },
      schema: {
        summary: 'Home page',
        description: 'Where a login leads. A page for everyone signed in; signed out, the answer follows the format.',
        tags: ['Pages'],
        response: { 200: page('The home page') },
      },
    },
    async ({ user }) => ({ first_name: user.firstName }),
  );
}
