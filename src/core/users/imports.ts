import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { isPlainLine } from '../../ground/text/printable.ts';
import type { Caller } from '../audit/event.ts';
import { createEventIds } from '../audit/event-id.ts';
import { ChangeRefused } from './change-refused.ts';
import { countChange } from './directory.ts';
import { inGroupsTransaction } from './groups.ts';
import { limitRows } from './row-limits.ts';
import { type RequireRights, readNames, rightsOf } from './scopes.ts';
import type { UserRegistry } from './user-directory.ts';

/** The longest label of an import, in characters. */
export const longestLabel = 100;

/** Shortens the name of a file. A name with unprintable characters is left out. */
export const labelOf = (name: string): string => (isPlainLine(name) ? [...name].slice(0, longestLabel).join('') : '');

/** The most characters of the operator that are stored with an import. */
const longestOperator = 255;

/** An import that is running. */
export interface NewImport {
  readonly id: string;
  /** The name of the file. Empty for standard input, and for rows that were typed. */
  readonly label: string;
  /** Whether its users are mailed an invitation, unless they can sign in already. */
  readonly invites: boolean;
}

export interface ListedImport extends Omit<NewImport, 'invites'> {
  /** The id of the administrator. Undefined for an operator. */
  readonly actorId: string | undefined;
  readonly operator: string | undefined;
  readonly createdAt: Date;
  /** How many users the import added. */
  readonly added: number;
  /** How many of them still exist. */
  readonly left: number;
  /** How many of those have used their accounts. The import can be undone while this is 0. */
  readonly used: number;
  /** How many of all were mailed an invitation. */
  readonly invited: number;
  /** How many still await one. */
  readonly waiting: number;
}

/** Tables that get a row for a user only after a sign-in, or on the way to the first one. */
const tablesOfUse = ['janua_logins', 'janua_passkeys', 'janua_pending_logins', 'janua_access_tokens'] as const;

/** Tables whose rows an import may bring. A row that is no younger than its account came with it, and is no use yet. */
const importedTables = [
  ['janua_identities', 'linked_at'],
  ['janua_totp', 'created_at'],
] as const;

/**
 * The users who have used their accounts. A new password counts, because its owner may have set it by a mailed link and not have signed in
 * yet. Changes by administrators, such as another group or a handle, do not count.
 */
export const isUsed = sql<boolean>`(password_changed_at is not null or ${sql.join(
  [
    ...tablesOfUse.map((table) => sql`janua_users.id in (select user_id from ${sql.table(table)})`),
    ...importedTables.map(
      ([table, since]) => sql`janua_users.id in (select user_id from ${sql.table(table)}
        where last_used_at is not null or ${sql.ref(since)} > janua_users.created_at)`,
    ),
  ],
  sql` or `,
)})`;

type Actor = { readonly caller: Caller; readonly actorId?: string };

export type Imports = ReturnType<typeof createImports>;

/**
 * Stores which users an import added, so that the import can be undone before anyone depends on it.
 * @param mayInvite tells whether the server mails invitations
 */
export function createImports(
  database: Database,
  registry: Pick<UserRegistry, 'removeAll'>,
  now: () => number,
  mayInvite: () => boolean,
) {
  const createId = createEventIds();
  const usersOf = (ids: readonly string[], db = database) => db.selectFrom('janua_users').where('import_id', 'in', ids);
  const count = sql<number | string>`count(*)`.as('count');

  async function countUsers(
    ids: readonly string[],
  ): Promise<(id: string) => Pick<ListedImport, 'left' | 'used' | 'waiting'>> {
    if (ids.length === 0) return () => ({ left: 0, used: 0, waiting: 0 });
    const each = usersOf(ids).select(['import_id', count]).groupBy('import_id');
    const toMap = (rows: Awaited<ReturnType<typeof each.execute>>) =>
      new Map(rows.map((row) => [row.import_id, Number(row.count)]));
    const [left, used] = [toMap(await each.execute()), toMap(await each.where(isUsed).execute())];
    const waiting = toMap(await each.where('invite_by', 'is not', null).execute());
    return (id) => ({ left: left.get(id) ?? 0, used: used.get(id) ?? 0, waiting: waiting.get(id) ?? 0 });
  }

  return {
    /** Begins an import. It is stored with its first users (`noteIn`). @throws {ChangeRefused} `no-mail` */
    begin(label: string, invites: boolean): NewImport {
      if (invites && !mayInvite()) throw new ChangeRefused('Set MAIL_URL first.', 'no-mail');
      return { id: createId(now()), label, invites };
    },

    /** Counts the users of an import who still await an invitation. */
    async countWaiting(id: string): Promise<number> {
      const [waiting] = await usersOf([id]).select(count).where('invite_by', 'is not', null).execute();
      return Number(waiting?.count);
    },

    /** Notes in an `inGroupsTransaction` that the import has added users. The oldest imports are forgotten; their users stay. */
    async noteIn(
      db: Database,
      { id, label }: Pick<NewImport, 'id' | 'label'>,
      { caller, actorId }: Actor,
      added: number,
    ): Promise<void> {
      const known = db.updateTable('janua_imports').where('id', '=', id);
      const counted = await known.set({ added: sql<number>`added + ${added}` }).executeTakeFirst();
      if (counted.numUpdatedRows > 0n) return;
      const by = { actor_id: actorId ?? null, operator: caller.operator?.slice(0, longestOperator) ?? null };
      await db
        .insertInto('janua_imports')
        .values({ id, label, added, invited: 0, created_at: now(), ...by })
        .execute();
      await limitRows(db, 'janua_imports', undefined, 0);
    },

    /** Lists a page of the imports with users who still exist, the newest first. @param before the id of the last import of the page before */
    async list(limit: number, before: string | undefined): Promise<ListedImport[]> {
      const found = database
        .selectFrom('janua_imports')
        .selectAll()
        .where(sql<boolean>`exists (select 1 from janua_users where import_id = janua_imports.id)`)
        .orderBy('id', 'desc')
        .limit(limit);
      const rows = await (before === undefined ? found : found.where('id', '<', before)).execute();
      const countOf = await countUsers(rows.map(({ id }) => id));
      return rows.map(({ id, label, actor_id, operator, created_at, added, invited }) => ({
        ...{ id, label, added, ...countOf(id), invited: invited ?? 0 },
        actorId: actor_id ?? undefined,
        operator: operator ?? undefined,
        createdAt: new Date(Number(created_at)),
      }));
    },

    /**
     * Removes the users of an import who still exist, all or none. Their rows are locked first, so no user gets more rights, or begins to
     * use the account by a change to it, meanwhile.
     * @param recordIn records the event, with the number of removed users
     * @returns the number of removed users
     * @throws {ChangeRefused} if a user has used the account, or the last administrator would go
     */
    undo(
      id: string,
      requireRights: RequireRights,
      recordIn: (db: Database, change: { readonly count: number }) => Promise<void>,
    ): Promise<number> {
      return inGroupsTransaction(
        database,
        async (db) => {
          await db.updateTable('janua_users').set(countChange).where('import_id', '=', id).execute();
          const users = usersOf([id], db);
          const alike = await users.select(['group_names', 'scopes']).distinct().execute();
          if (alike.length === 0) throw new ChangeRefused('There is no import with that id.', 'no-such-import');
          requireRights(...alike.map((row) => rightsOf(readNames(row.group_names), readNames(row.scopes))));
          const [used] = await users.select(count).where(isUsed).execute();
          if (Number(used?.count) > 0) throw importInUse(Number(used?.count));
          const ids = (await users.select('id').execute()).map((user) => user.id);
          // Nobody has signed in with these handles, so the same file can be imported again.
          await db.deleteFrom('janua_handles').where('user_id', 'in', users.select('id')).execute();
          await registry.removeAll(ids, db);
          await db.deleteFrom('janua_imports').where('id', '=', id).execute();
          await recordIn(db, { count: ids.length });
          return ids.length;
        },
        { rows: [id] },
      );
    },

    /** Forgets imports whose users are all gone. */
    async clean(): Promise<void> {
      const isEmpty = sql<boolean>`not exists (select 1 from janua_users where import_id = janua_imports.id)`;
      await database.deleteFrom('janua_imports').where(isEmpty).execute();
    },
  };
}

const importInUse = (count: number) =>
  new ChangeRefused(
    `Users of the import who have signed in, or chosen a password: ${count}. So it cannot be undone. Remove the others one by one.`,
    'import-in-use',
  );
