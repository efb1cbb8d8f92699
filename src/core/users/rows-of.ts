import { sql } from '../../ground/database/kysely.ts';
import type { User } from './user.ts';

/** What of a user tells which rows are theirs. */
export type RowUser = Pick<User, 'id' | 'username' | 'isNewcomer'>;

/** The rows of a table that are about a user, by the id alone. What is under the id of a newcomer is the former user's. */
export const rowsOf = ({ id, isNewcomer = false }: Omit<RowUser, 'username'>) =>
  isNewcomer ? sql<boolean>`1 = 0` : sql<boolean>`user_id = ${id}`;

/**
 * What is written beside the id, for processes of the version before: they tell users of a team's own table apart by it. It is not read,
 * but keys and passkeys' user handles that are computed with it keep their values.
 */
export const nameInRows = ({ username, isNewcomer }: Omit<RowUser, 'id'>): string =>
  isNewcomer === undefined ? '' : username;
