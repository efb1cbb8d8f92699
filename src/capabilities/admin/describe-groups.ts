import type { SignedIn } from '../../core/access/access.ts';
import { holds, sees } from '../../core/access/rights.ts';
import type { GuardedClient, GuardedPath, JoinedPorts } from '../../core/ports.ts';
import type { StoredGroup } from '../../core/users/groups.ts';
import { rightsOf } from '../../core/users/scopes.ts';
import { listOf, object, type Schema, text } from '../../web/openapi/responses.ts';

/** The ports that list the paths behind a proxy and the clients that only members of groups may open. */
export interface GuardParts {
  readonly ports: Pick<JoinedPorts, 'listGuardedPaths' | 'listClients'>;
}

/** Most applications that are named for a group or a user. The others are counted. */
const mostNamed = 30;

export const furtherClients: Schema = {
  type: 'integer',
  description: `How many more there are, because \`clients\` has ${mostNamed} at most`,
  examples: [0],
};

/** Names the first `mostNamed` applications, and counts the others. */
export const nameClients = (clients: readonly GuardedClient[]) => ({
  clients: clients.slice(0, mostNamed).map(({ id, name }) => ({ client_id: id, name })),
  more_clients: Math.max(0, clients.length - mostNamed),
});

export const groupFields = {
  name: text('staff'),
  description: text('All employees'),
  scopes: listOf(text('users:read'), 'What the group grants'),
  second_factor: { type: 'boolean', description: 'Whether its users need a second factor to sign in' },
  rules: listOf(text('https://app.example.com/admin'), 'What the group opens behind a proxy (`FORWARD_AUTH_RULES`)'),
  clients: listOf(
    object('A client', { client_id: text('q1W2e3R4t5Y6u7I8o9P0aA'), name: text('Wiki') }),
    'Applications that only members of their groups may use, this one among them',
  ),
  more_clients: furtherClients,
  held: {
    type: 'boolean',
    description: 'Whether you hold the group and its scopes. Only then may you change it, and put users into it',
  },
};

/** Tells whether a request may see a group: a program sees those that it acts within, a person all. */
export const seesGroup = ({ machine, user }: SignedIn, { name }: { readonly name: string }): boolean =>
  machine === undefined || user.groups.includes(name);

/** Lists what groups open, as far as the request may see it. A program sees what is for its groups alone. */
export async function listGuarded(signedIn: SignedIn, { ports }: GuardParts) {
  const isSeen = ({ groups }: { readonly groups: readonly string[] }) =>
    sees(signedIn, { groups, scopes: [], addedBy: null });
  return { paths: ports.listGuardedPaths().filter(isSeen), clients: (await ports.listClients()).filter(isSeen) };
}

/** Describes groups for an administrator. Reads the clients once for all groups. */
export async function createDescribeGroup(signedIn: SignedIn, parts: GuardParts) {
  const guarded = await listGuarded(signedIn, parts);
  return (group: StoredGroup) => describeGroup(signedIn, group, guarded);
}

export type DescribedGroup = ReturnType<typeof describeGroup>;

interface Guarded {
  readonly paths: readonly GuardedPath[];
  readonly clients: readonly GuardedClient[];
}

/** Describes a group. The stored row of the group `admins` lacks Janua's own scopes, which `rightsOf` adds. */
function describeGroup(
  signedIn: SignedIn,
  { name, description, scopes: granted, secondFactor }: StoredGroup,
  guarded: Guarded,
) {
  const { scopes } = rightsOf([name], granted);
  const isOpened = ({ groups }: { readonly groups: readonly string[] }) => groups.includes(name);
  return {
    name,
    description,
    scopes,
    second_factor: secondFactor,
    rules: guarded.paths.filter(isOpened).map(({ origin, path }) => origin + path),
    ...nameClients(guarded.clients.filter(isOpened)),
    held: holds(signedIn, { groups: [name], scopes }),
  };
}
