import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import {
  type Candidate,
  candidateOf,
  createStamp,
  hasForeignPassword,
  passwordPrintOf,
  type Verification,
} from './account.ts';
import { type AccountRow, createAccounts, isVerified, toTime } from './accounts.ts';
import { isHandle } from './handles.ts';
import { createRequireOtherPerson, type OtherWaysIn } from './last-administrator.ts';
import { createRegistry, keptStamp, verifiedColumns } from './registry.ts';
import { type AdoptionOptions, adopt, type RecordLeft, renameAccount } from './source/adoption.ts';
import type { Source } from './source/source.ts';
import type { UserDirectory, UserRegistry } from './user-directory.ts';
import { createUserList } from './user-list.ts';

export interface DirectoryOptions {
  readonly demoUsers: boolean;
  /** Canonical names that the setting `ADMINISTRATORS` lists. They count if `janua users add` or a mailed link created the account. */
  readonly administrators?: ReadonlySet<string>;
  readonly otherWaysIn: OtherWaysIn;
  /** A team's own table of users (`USERS_TABLE`), if there is one. */
  readonly source?: Source | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Records that an account of the team's own table ends. Default: nothing is recorded. */
  readonly recordLeft?: RecordLeft;
}

/** Locks a row until the end of the transaction, by changing it. The nodes of a database cluster see no other lock. */
export const countChange = { changes: sql<number>`changes + 1` };

/**
 * Opens the directory of all users whom Janua knows, in `janua_users`. With a team's own table as the source, its rows decide which
 * accounts are active, under which name and with which password. Janua adds an account for a row at the first login or at a sync.
 */
export function createDirectory(
  opened: OpenDatabase,
  options: DirectoryOptions,
): { readonly users: UserDirectory; readonly registry: UserRegistry | undefined } {
  const { database } = opened;
  const { demoUsers, administrators = new Set(), otherWaysIn, source } = options;
  const { now = Date.now, recordLeft = async () => {} } = options;
  const accounts = createAccounts(opened, { demoUsers, administrators, source });
  const registry =
    source === undefined ? createRegistry(database, { demoUsers, administrators, otherWaysIn }) : undefined;
  const findNamed =
    source === undefined
      ? createOwnCandidates(opened, accounts)
      : createCandidates(accounts, { database, source, now, recordLeft });
  const findByHandle = createFindByHandle(opened, accounts);
  const findCandidate = async (name: string): Promise<Candidate | undefined> =>
    (await findNamed(name)) ?? (isHandle(name) ? findByHandle(name) : undefined);
  const update = (id: string, db: Database = database) => db.updateTable('janua_users').where('id', '=', id);

  const users: UserDirectory = {
    accounts: accounts.join,
    findById: accounts.findById,
    findAll: accounts.findAll,
    findCandidate,

    async findByUsername(username) {
      return (await findNamed(username))?.account;
    },

    async adoptByUsername(username) {
      const candidate = await findNamed(username);
      return candidate?.account ?? (await candidate?.adopt());
    },

    async check() {
      await sql`select ${accounts.columns} from janua_users ${accounts.joinSource} where 1 = 0`.execute(database);
    },

    async lock(id, db) {
      const { numUpdatedRows } = await update(id, db).set(countChange).executeTakeFirst();
      return numUpdatedRows === 0n ? undefined : accounts.findIn(db, id);
    },

    async replacePasswordHash({ user, passwordHash: before = '', ...account }, after) {
      if (source === undefined) {
        const kept = { password: after, stamp: keptStamp({ user, passwordHash: before, ...account }) };
        await update(user.id).set(kept).where('password', '=', before).execute();
      } else
        await inTransaction(database, async (db) => {
          // If another program has changed the password, the stored digest stays, and shows the change (`hasForeignPassword`).
          if (await source.replaceHash?.(user, before, after, db))
            await update(user.id, db)
              .set({ password_print: passwordPrintOf(after) })
              .where('password_print', '=', passwordPrintOf(before))
              .execute();
        });
    },

    ...((source === undefined || source.replaceHash !== undefined) && {
      async setPassword({ account, user, db }, passwordHash) {
        if (source === undefined) {
          const changed = { password: passwordHash, demo: 0, password_changed_at: now() };
          await update(user.id, db).set(changed).execute();
          return true;
        }
        if (!(await source.replaceHash?.(user, account.passwordHash ?? '', passwordHash, db))) return false;
        await update(user.id, db)
          .set({ password_print: passwordPrintOf(passwordHash), password_changed_at: now() })
          .execute();
        return true;
      },
    }),

    async acceptPassword({ account, user, db }) {
      await update(user.id, db)
        .set({ password_print: passwordPrintOf(account.passwordHash) })
        .execute();
      return hasForeignPassword(account) === true;
    },

    async acceptName({ account, user, db }) {
      // Another login may have accepted the name meanwhile.
      if (account.formerName === undefined) return false;
      await renameAccount(user.id, user, db);
      return true;
    },

    async acceptDisabled({ account, user, db }) {
      if (account.disabled) await update(user.id, db).set({ disabled: 1 }).execute();
      return account.disabled;
    },

    async noteEnabled(id) {
      await update(id).set({ disabled: 0 }).execute();
    },

    async renewStamp({ user: { id }, db }) {
      await update(id, db).set({ stamp: createStamp() }).execute();
    },

    async verifyAddress({ user: { id, username }, db }, address, verification) {
      if (username === address) await update(id, db).set(verifiedColumns(address, verification)).execute();
    },

    async findDetails({ id, username }) {
      const row = await database
        .selectFrom('janua_users')
        .select(['address_proof', 'verified_address', 'created_at', 'password_changed_at'])
        .select(['verified_how', 'verified_by', 'verified_at'])
        .where('id', '=', id)
        .executeTakeFirst();
      const how = (row?.verified_how ?? 'mail') as Verification['how'];
      return {
        createdAt: toTime(row?.created_at ?? null),
        passwordChangedAt: toTime(row?.password_changed_at ?? null),
        verification:
          row && isVerified({ ...row, username })
            ? { how, by: row.verified_by ?? undefined, at: toTime(row.verified_at) }
            : undefined,
      };
    },

    async setLanguage(id, language, db) {
      await update(id, db).set({ language }).execute();
    },

    requireOtherAdministrator: registry?.requireOtherAdministrator ?? createRequireOtherPerson(accounts, otherWaysIn),

    ...createUserList(database, { accounts, source, administrators }),
  };
  return { users, registry };
}

type Accounts = ReturnType<typeof createAccounts>;

function createOwnCandidates({ database, prepareLookup }: OpenDatabase, { columns, read }: Accounts) {
  const findRows = prepareLookup<AccountRow>(
    (name) => ({
      compile: () =>
        sql<AccountRow>`select ${columns} from janua_users where janua_users.login_name = ${name}`.compile(database),
    }),
    'username',
  );
  return async (username: string): Promise<Candidate | undefined> => {
    const [row] = await findRows(username);
    const account = row && read(row);
    return account && candidateOf(account);
  };
}

function createFindByHandle({ database, prepareLookup }: OpenDatabase, { columns, joinSource, read }: Accounts) {
  const findRows = prepareLookup<AccountRow>(
    (handle) => ({
      compile: () =>
        sql<AccountRow>`select ${columns} from janua_users ${joinSource} where janua_users.handle = ${handle}`.compile(
          database,
        ),
    }),
    'handle',
  );
  return async (handle: string): Promise<Candidate | undefined> => {
    const [row] = await findRows(handle);
    const account = row && read(row);
    return account && candidateOf(account);
  };
}

function createCandidates({ columns, read, findById }: Accounts, options: AdoptionOptions) {
  const { source } = options;
  // The account with the id of the row may belong to a former person of that id. `read` then returns undefined.
  const find = source.prepareByName(
    sql<AccountRow>`select ${columns} from ${source.table} left join janua_users on janua_users.source_key = ${source.key}`,
  );
  return async (username: string): Promise<Candidate | undefined> => {
    const row = await find(username);
    const person = row && source.read(row);
    if (person === undefined) return undefined;
    const { passwordHash, disabled } = person;
    const account = row?.account_id === null ? undefined : row && read(row);
    return {
      passwordHash,
      disabled,
      account,
      async adopt() {
        const id = await adopt(person, options);
        return id === undefined ? undefined : findById(id);
      },
    };
  };
}
