import type { SignedIn } from '../../core/access/access.ts';
import type { Core } from '../../core/core.ts';
import type { OpenApplication } from '../../core/ports.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { pageOf, readList, unreadableList } from '../../web/list.ts';
import { homePath } from '../../web/next.ts';
import { page } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { homeView } from './views.ts';

/** Longest part of an address that a cursor holds, in characters. `readList` refuses a cursor with a longer text. */
const comparedLength = 400;

const placeOf = ({ name, address }: OpenApplication) => [name, address.slice(0, comparedLength)];

/** Returns a function that compares applications by name, in the order of the language. */
function orderIn(language: string) {
  const { compare } = new Intl.Collator(language);
  return ({ name, address }: OpenApplication, [otherName = '', otherAddress = '']: readonly string[]): number =>
    compare(name, otherName) || compare(address.slice(0, comparedLength), otherAddress);
}

export function addHome(app: App, parts: () => Pick<Core, 'ports' | 'checkUp'>): void {
  /** Counts the checks of the server that report a fault, as on the overview for administrators. Users who may not open that page get 0. */
  async function countFindings({ scopes }: SignedIn): Promise<number> {
    const found = scopes.includes('audit:read') ? await parts().checkUp() : [];
    return found.filter(({ state }) => state !== 'ok').length;
  }

  app.get(
    homePath,
    {
      config: { signedIn: true, view: homeView, pageOnly: true, refusals: [unreadableList] },
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
      const { limit, after } = readList(request.query, { keyLength: 2 });
      const order = orderIn(request.language);
      const all = (await parts().ports.listOpen(user)).sort((one, other) => order(one, placeOf(other)));
      const further = after === undefined ? all : all.filter((one) => order(one, after) > 0);
      const { entries, next_cursor } = pageOf(further, limit, placeOf);
      return {
        username: user.username,
        first_name: user.firstName,
        last_name: user.lastName,
        applications: entries.map((application) => ({ ...application, host: new URL(application.address).host })),
        next_cursor,
        query: request.query,
        offersPasskey: await parts().ports.isPasskeyOffered(signedIn),
        findings: await countFindings(signedIn),
      };
    },
  );
}
