import { homePath } from '../../web/next.ts';
import { page } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';

/** @param forwardOrigins of the applications that users reach with their account */
export function addHome(app: App, { forwardOrigins }: { readonly forwardOrigins: ReadonlySet<string> }): void {
  app.get(
    homePath,
    {
      config: { signedIn: true, view: 'capabilities/account/home', pageOnly: true },
      schema: {
        summary: 'Home page',
        description:
          'The page after a login. A signed-in user gets a page. Other requests are refused in their format.',
        tags: ['Pages'],
        response: { 200: page('The home page') },
      },
    },
    async ({ user }) => ({
      username: user.username,
      first_name: user.firstName,
      last_name: user.lastName,
      applications: [...forwardOrigins],
    }),
  );
}
