import type { SignedIn } from '../../core/access/access.ts';
import type { Core } from '../../core/core.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { homePath } from '../../web/next.ts';
import { page } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';

export function addHome(app: App, parts: () => Pick<Core, 'ports' | 'checkUp'>): void {
  /** How many checks of the overview say that something is wrong, for users who may open it. */
  async function countFindings({ scopes }: SignedIn): Promise<number> {
    const found = scopes.includes('audit:read') ? await parts().checkUp() : [];
    return found.filter(({ state }) => state !== 'ok').length;
  }

  app.get(
    homePath,
    {
      config: { signedIn: true, view: 'capabilities/account/home', pageOnly: true },
      schema: {
        summary: 'Home page',
        description:
          'The page after a login, with the applications that the user may open. A signed-in user gets a page. Other requests are refused in their format.',
        tags: ['Pages'],
        response: { 200: page('The home page') },
      },
    },
    async (request) => {
      const signedIn = signedInOf(request);
      const { user } = signedIn;
      const applications = await parts().ports.listOpen(user);
      return {
        username: user.username,
        first_name: user.firstName,
        last_name: user.lastName,
        applications: applications
          .map((application) => ({ ...application, host: new URL(application.address).host }))
          .sort((one, other) => one.name.localeCompare(other.name, request.language)),
        offersPasskey: await parts().ports.isPasskeyOffered(signedIn),
        findings: await countFindings(signedIn),
      };
    },
  );
}
