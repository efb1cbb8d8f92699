import { randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Database } from '../database/database.ts';
import { prepareLookup } from '../database/lookup.ts';
import type { UsersTable } from '../database/schema.ts';
import type { User } from '../identity/user.ts';
import type { Account, UserRegistry } from '../identity/user-directory.ts';

/**
 * Users in our own table of the SQL database.
 * @param demoUsers whether the demo's users, whose passwords everybody knows, may sign in; else they count as disabled
 */
export function createSqlDirectory(database: Database, { demoUsers }: { demoUsers: boolean }): UserRegistry {
  const select = () => database.selectFrom('janua_users').selectAll();
  const findRowById = prepareLookup(database, (id) => select().where('id', '=', id));
  const findRowByUsername = prepareLookup(database, (username) => select().where('username', '=', username));
  const update = (id: string) => database.updateTable('janua_users').where('id', '=', id);

  return {
    async findByUsername(username) {
      const row = await findRowByUsername(username);
      return row && toAccount(row, demoUsers);
    },

    async findById(id) {
      const row = await findRowById(id);
      return row && toAccount(row, demoUsers);
    },

    async replacePasswordHash(id, current, replacement) {
      await update(id).set({ password_hash: replacement }).where('password_hash', '=', current).execute();
    },

    async add({ username, firstName, lastName, passwordHash, demo }) {
      const result = await database
        .insertInto('janua_users')
        .values({
          id: randomUUID(),
          username,
          password_hash: passwordHash,
          first_name: firstName,
          last_name: lastName,
          demo: demo ? 1 : 0,
          created_at: Date.now(),
        })
        .onConflict((conflict) => conflict.column('username').doNothing())
        .executeTakeFirst();
      return result.numInsertedOrUpdatedRows === 1n;
    },

    async list() {
      const rows = await select().orderBy('username').execute();
      return rows.map((row) => ({
        ...toUser(row),
        disabled: row.disabled === 1,
        demo: row.demo === 1,
        createdAt: new Date(row.created_at),
      }));
    },

    async setPasswordHash(id, passwordHash) {
      await update(id).set({ password_hash: passwordHash, demo: 0 }).execute();
    },

    async setDisabled(id, disabled) {
      await update(id)
        .set({ disabled: disabled ? 1 : 0 })
        .execute();
    },

    async remove(id) {
      await database.deleteFrom('janua_users').where('id', '=', id).execute();
    },
  };
}

function toAccount(row: Selectable<UsersTable>, demoUsers: boolean): Account {
  const disabled = row.disabled !== 0 || (row.demo !== 0 && !demoUsers);
  return { user: toUser(row), passwordHash: row.password_hash, disabled };
}

function toUser(row: Selectable<UsersTable>): User {
  return { id: row.id, username: row.username, firstName: row.first_name, lastName: row.last_name };
}
