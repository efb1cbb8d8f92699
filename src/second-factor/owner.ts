import type { PasskeysTable } from '../database/schema.ts';

/**
 * The user that a factor belongs to. In a team's own table an id may be given to another person, so a factor counts only with the name
 * that it was added with. Janua's own accounts have an empty name here: their ids are never reused, and their addresses change.
 */
export interface FactorOwner {
  readonly userId: string;
  readonly username: string;
}

export const columnsOf = ({ userId, username }: FactorOwner) => ({ user_id: userId, username });

export const isSameOwner = (one: FactorOwner, other: FactorOwner): boolean =>
  one.userId === other.userId && one.username === other.username;

export const timesOf = (row: Pick<PasskeysTable, 'created_at' | 'last_used_at'>) => ({
  createdAt: new Date(Number(row.created_at)),
  lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
});
