import type { User } from '../../core/users/user.ts';
import type { PasskeysTable } from '../../ground/database/schema.ts';

/** The columns that name the user of a factor. */
export const columnsOf = (user: Pick<User, 'id'>) => ({ user_id: user.id });

export const timesOf = (row: Pick<PasskeysTable, 'created_at' | 'last_used_at'>) => ({
  createdAt: new Date(Number(row.created_at)),
  lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
});
