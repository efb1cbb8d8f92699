import type { RowOwner } from '../../core/users/held.ts';
import type { PasskeysTable } from '../../ground/database/schema.ts';

/** The user that a factor belongs to. In a team's own table a factor counts only with the name that it was added with. */
export type FactorOwner = RowOwner;

export const columnsOf = ({ userId, username }: FactorOwner) => ({ user_id: userId, username });

export const isSameOwner = (one: FactorOwner, other: FactorOwner): boolean =>
  one.userId === other.userId && one.username === other.username;

export const timesOf = (row: Pick<PasskeysTable, 'created_at' | 'last_used_at'>) => ({
  createdAt: new Date(Number(row.created_at)),
  lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
});
