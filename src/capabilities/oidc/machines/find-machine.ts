import { hash } from 'node:crypto';
import type { SignedIn } from '../../../core/access/access.ts';
import type { Session } from '../../../core/sessions/sessions.ts';
import type { Account } from '../../../core/users/account.ts';
import type { Groups } from '../../../core/users/groups.ts';
import { admins, ownScopes, readNames } from '../../../core/users/scopes.ts';
import type { Clients } from '../clients/clients.ts';
import type { Records } from '../records/records.ts';
import { type Machine, scopesAt } from './machine.ts';

interface MachineOptions {
  readonly records: Pick<Records, 'of'>;
  readonly findClient: Clients['find'];
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly groups: Pick<Groups, 'findAll'>;
  /** The address of this server, for which the tokens of its own API are made. */
  readonly issuer: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A machine, or a trust of a client. */
type Granted = Pick<Machine, 'grantedBy'>;

export type IsGranted = (granted: Granted) => Promise<boolean>;

/** Tells whether a grant is still valid: the administrator could give it today. A grant by a command stays valid. */
export const createIsGranted =
  (findAccount: MachineOptions['findAccount']): IsGranted =>
  async ({ grantedBy }) => {
    if (grantedBy === undefined) return true;
    const account = await findAccount(grantedBy);
    return account !== undefined && !account.disabled && account.user.groups.includes(admins);
  };

/** Finds the program to which an opaque token was issued. Its rights are judged anew at each use. */
export function createFindMachine({ records, findClient, findAccount, groups, issuer, now }: MachineOptions) {
  const tokens = records.of('ClientCredentials');
  const isGranted = createIsGranted(findAccount);

  /** @param resource for which the token was issued. Default: Janua's own API */
  return async (token: string, resource = issuer()): Promise<SignedIn | undefined> => {
    const found = await tokens.find(token);
    const { clientId, aud, scope, exp, jkt } = found ?? {};
    // A token that is bound to a key (RFC 9449) counts for nothing without a proof, which no route of Janua takes.
    if (aud !== resource || Number(exp) * 1000 <= now() || jkt !== undefined) return undefined;
    const client = await findClient(String(clientId));
    const { machine } = client ?? {};
    if (client === undefined || machine === undefined || !(await isGranted(machine))) return undefined;
    if (scopesAt(machine, resource, issuer()).length === 0) return undefined;
    const within = (await groups.findAll()).filter(({ name }) => machine.within.includes(name));
    const carried = readNames(String(scope ?? ''));
    const granted = within.flatMap(({ scopes }) => scopes).filter((name) => !Object.hasOwn(ownScopes, name));
    return {
      user: {
        ...{ id: client.id, username: client.id, firstName: client.name, lastName: '' },
        groups: within.map(({ name }) => name),
      },
      session: sessionOf(client.id, token, now()),
      scopes: machine.scopes.filter((name) => carried.includes(name)),
      limited: true,
      machine: { scopes: granted },
    };
  };
}

/** A program has no session. This one was never authenticated, so that code that requires a fresh proof refuses it. */
const sessionOf = (clientId: string, token: string, time: number): Session => ({
  // Tells the tokens of a program apart in the audit.
  id: hash('sha256', token, 'base64url').slice(0, 22),
  userId: clientId,
  ...{ stamp: '', cookieHash: '', tokenHash: '', tokenScope: '' },
  ...{ createdAt: time, lastSeenAt: time, expiresAt: time, authenticatedAt: 0 },
  ...{ methods: [], userAgent: undefined, address: undefined, remembered: false },
});
