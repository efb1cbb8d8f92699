import { ChangeRefused } from '../../core/users/change-refused.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';
import type { ExportFiles, ExportPart } from './export-files.ts';
import { createGroupNames, type WantedGroup } from './groups.ts';
import { type Broker, readBroker } from './identities.ts';
import { isBuiltIn, readClient, type WantedClient } from './read-client.ts';
import { parseObject, textOf } from './values.ts';

/** The parts of a realm besides its users, and the bytes of the longest one of each. */
const wanted: ReadonlyMap<string, number> = new Map([
  ['realm', 1024],
  ['groups', 8_000_000],
  ['roles', 8_000_000],
  ['identityProviders', 100_000],
  ['clients', 2_000_000],
  ['federatedUsers', 0],
]);

/** Most clients and providers that are kept in memory. */
const most = 2000;

export interface Realm {
  readonly groups: readonly WantedGroup[];
  readonly brokers: ReadonlyMap<string, Broker>;
  readonly clients: readonly { readonly client: WantedClient; readonly line: number }[];
  /** The number of clients that cannot be added. */
  readonly refusedClients: number;
}

export interface RealmOptions {
  /** Redirect addresses that the operator names, by the ids of the clients. */
  readonly redirectUris: ReadonlyMap<string, readonly string[]>;
  readonly tell: (line: number, text: string) => void;
}

/**
 * Reads a realm without its users. It reads all files to the end, so that one that is cut off is noticed before anything is changed.
 * @throws {Misconfiguration}
 */
export async function readRealm(files: ExportFiles, { redirectUris, tell }: RealmOptions): Promise<Realm> {
  const { groups, addTree, addRoles } = createGroupNames();
  const brokers = new Map<string, Broker>();
  const clients: { readonly client: WantedClient; readonly line: number }[] = [];
  let refusedClients = 0;
  let federated = 0;
  const names = new Set<string>();

  function addClient({ text, line }: ExportPart): void {
    let id = '';
    try {
      const client = parseObject(text, 'The client');
      id = textOf(client, 'clientId');
      if (isBuiltIn(client)) return;
      if (clients.length >= most) throw new Misconfiguration(`The realm has more than ${most} clients.`);
      const told = (reason: string) => tell(line, `client ${id}: ${reason}`);
      clients.push({ client: readClient(client, redirectUris.get(id) ?? [], told), line });
    } catch (error) {
      if (!(error instanceof ChangeRefused)) throw error;
      refusedClients += 1;
      tell(line, `client ${id}: not added. ${error.message}`);
    }
  }

  function addPart(part: ExportPart): void {
    const { key, text, line } = part;
    if (key === 'clients') addClient(part);
    else if (key === 'realm') names.add(text ?? '');
    else if (key === 'federatedUsers') federated += 1;
    else {
      const value = parseObject(text, key);
      if (key === 'groups') addTree(value, (reason) => tell(line, reason));
      else if (key === 'roles') addRoles(value, (reason) => tell(line, reason));
      else if (brokers.size < most) brokers.set(textOf(value, 'alias'), readBroker(value));
    }
  }

  for await (const part of files.read(wanted)) {
    try {
      addPart(part);
    } catch (error) {
      if (!(error instanceof ChangeRefused)) throw error;
      throw new Misconfiguration(`Line ${files.placeOf(part.line)}: ${error.message}`);
    }
  }
  if (names.size !== 1)
    throw new Misconfiguration(
      names.size === 0
        ? 'The file names no realm, so it is no export of Keycloak.'
        : 'The files are of several realms.',
    );
  if (federated > 0)
    tell(
      0,
      `Users of another directory (federatedUsers), which are not brought: ${federated}. Import them from there.`,
    );
  return { groups, brokers, clients, refusedClients };
}
