/**
 * The user that a factor belongs to. In a team's own table an id may be given to another person, so a factor counts only with the name
 * that it was added with. Janua's own accounts have an empty name here: their ids are never reused, and their addresses change.
 */
export interface FactorOwner {
  readonly userId: string;
  readonly username: string;
}

/** The columns that every table of factors has. */
export const columnsOf = ({ userId, username }: FactorOwner) => ({ user_id: userId, username });

export const isSameOwner = (one: FactorOwner, other: FactorOwner): boolean =>
  one.userId === other.userId && one.username === other.username;
