import type { Database } from '../../ground/database/database.ts';
import { isDuplicate } from '../../ground/database/errors.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import { type ChangeRefused, Unreadable } from './change-refused.ts';
import { type Groups, inGroupsTransaction } from './groups.ts';
import { findTakenHandles, type NameParts } from './handles.ts';
import type { RefuseUser } from './import-batches.ts';
import type { ImportedUser, ImportPort, UserToImport } from './imported-user.ts';
import type { Imports, NewImport } from './imports.ts';
import { operator } from './may-give.ts';
import type { UserRegistry } from './user-directory.ts';

type Clients = Awaited<ReturnType<NameParts['listClients']>>;

export interface ImportBy {
  readonly import: NewImport;
  readonly actor: { readonly caller: Caller; readonly actorId?: string };
  /** Whether this is a dry run, which adds nothing. */
  readonly isRehearsal: boolean;
}

/**
 * Returns a function that adds users and the audit event about them in one transaction. The function returns how many users were new. If an
 * address has a user already, that user stays as it is, so that an interrupted import can be run again.
 */
export function createImportUsers(
  database: Database,
  registry: UserRegistry,
  groups: Groups,
  imports: Pick<Imports, 'noteIn'>,
  audit: Pick<Audit<never, 'users-imported'>, 'recordIn'>,
  listClients: NameParts['listClients'] = async () => [],
  listPorts: () => readonly ImportPort[] = () => [],
) {
  /** Leaves out users whose handle is taken. */
  async function withFreeHandles(db: Database, users: readonly ImportedUser[], clients: Clients, refuse: RefuseUser) {
    const handles = users.flatMap(({ handle = [] }) => handle);
    const taken = handles.length === 0 ? new Set() : await findTakenHandles(handles, clients, db);
    return users.filter((user) => {
      if (!taken.has(user.handle)) return true;
      refuse(user, new Unreadable('That handle is taken, or another account has had it.'));
      return false;
    });
  }

  /** Leaves out users whom a capability refuses. */
  async function withoutRefused(db: Database, users: readonly UserToImport[], refuse: RefuseUser) {
    const reasons = new Map<ImportedUser, ChangeRefused>();
    for (const { judge } of listPorts())
      for (const [user, reason] of (await judge?.(users, db)) ?? []) reasons.set(user, reason);
    for (const [user, reason] of reasons) refuse(user, reason);
    return users.filter(({ user }) => !reasons.has(user));
  }

  async function addIn(
    db: Database,
    users: readonly ImportedUser[],
    { actor, isRehearsal, import: made }: ImportBy,
    clients: Clients,
    refuse: RefuseUser,
  ): Promise<number> {
    const names = users.map(({ username }) => username);
    const taken = await registry.findTaken(names, db);
    const found = users.map((user) => ({ user, id: taken.get(user.username) }));
    const accepted = await withoutRefused(db, found, refuse);
    const newcomers = accepted.filter(({ id }) => id === undefined).map(({ user }) => user);
    const added = await withFreeHandles(db, newcomers, clients, refuse);
    if (isRehearsal || added.length === 0) return added.length;
    // A user with a password can sign in already, and a disabled user may not.
    const isInvited = ({ passwordHash, disabled }: ImportedUser) => made.invites && passwordHash === '' && !disabled;
    const time = Date.now();
    const ids = await registry.addAll(
      added.map((user) => ({
        ...user,
        importId: made.id,
        ...(isInvited(user) && { inviteBy: actor.actorId ?? operator }),
      })),
      db,
    );
    await imports.noteIn(db, made, actor, added.length);
    const stored = added.map((user, index) => ({ ...user, id: ids[index] ?? '' }));
    for (const port of listPorts()) await port.store(stored, db, time);
    const members = added.map(({ username, groups: names }, index) => ({ id: ids[index] ?? '', username, names }));
    await groups.addMembers(
      members.filter(({ names }) => names.length > 0),
      db,
    );
    await audit.recordIn(db, { kind: 'users-imported', ...actor, about: made.id, count: added.length });
    return added.length;
  }

  return async (users: readonly ImportedUser[], by: ImportBy, refuse: RefuseUser = () => {}): Promise<number> => {
    async function add(): Promise<number> {
      // Before the transaction, because SQLite has no other read meanwhile.
      const clients = await listClients();
      // A transaction may run several times, and refuses then anew.
      let refused: Parameters<RefuseUser>[] = [];
      const added = await inGroupsTransaction(database, (db) => {
        refused = [];
        return addIn(db, users, by, clients, (...row) => refused.push(row));
      });
      for (const row of refused) refuse(...row);
      return added;
    }
    try {
      return await add();
    } catch (error) {
      // Another process has taken a name meanwhile. The second try leaves that user out.
      if (isDuplicate(error)) return add();
      throw error;
    }
  };
}
