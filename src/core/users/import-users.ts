import type { Database } from '../../ground/database/database.ts';
import { isDuplicate } from '../../ground/database/errors.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import { type Groups, inGroupsTransaction } from './groups.ts';
import type { ImportedUser } from './import-columns.ts';
import type { Imports, NewImport } from './imports.ts';
import type { UserRegistry } from './user-directory.ts';

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
) {
  async function addIn(
    db: Database,
    users: readonly ImportedUser[],
    { actor, isRehearsal, import: made }: ImportBy,
  ): Promise<number> {
    const names = users.map(({ username }) => username);
    const taken = await registry.findTaken(names, db);
    const added = users.filter(({ username }) => !taken.has(username));
    if (isRehearsal || added.length === 0) return added.length;
    const ids = await registry.addAll(
      added.map((user) => ({ ...user, importId: made.id })),
      db,
    );
    await imports.noteIn(db, made, actor, added.length);
    const members = added.map(({ username, groups: names }, index) => ({ id: ids[index] ?? '', username, names }));
    await groups.addMembers(
      members.filter(({ names }) => names.length > 0),
      db,
    );
    await audit.recordIn(db, { kind: 'users-imported', ...actor, about: made.id, count: added.length });
    return added.length;
  }

  return async (users: readonly ImportedUser[], by: ImportBy): Promise<number> => {
    const add = () => inGroupsTransaction(database, (db) => addIn(db, users, by));
    try {
      return await add();
    } catch (error) {
      // Another process has taken a name meanwhile. The second try leaves that user out.
      if (isDuplicate(error)) return add();
      throw error;
    }
  };
}
