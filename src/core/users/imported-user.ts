import type { Database } from '../../ground/database/database.ts';
import { ChangeRefused } from './change-refused.ts';
import type { NewUser } from './user-directory.ts';

/** An account at another provider, with which an imported user signs in here. */
export interface ImportedIdentity {
  /** The id of the provider. */
  readonly upstream: string;
  readonly issuer: string;
  readonly subject: string;
  /** The user's name at the provider. */
  readonly name: string;
}

/** The secret of an authenticator app (RFC 6238), with six digits, SHA-1 and 30 seconds. */
export interface ImportedTotp {
  readonly secret: Buffer;
  /** When it was added, in milliseconds since 1970. */
  readonly createdAt: number;
}

/** A user of a file. Capabilities store what is not part of an account (`ImportPort`). */
export interface ImportedUser extends NewUser {
  readonly groups: readonly string[];
  /** The `sub` by which applications know the user already. */
  readonly subject?: string;
  readonly totp?: ImportedTotp;
  readonly identities?: readonly ImportedIdentity[];
}

/** A user of an import, and the id of the account with that address, if there is one already. */
export interface UserToImport {
  readonly user: ImportedUser;
  readonly id: string | undefined;
}

/** The parts of an import that belong to capabilities. Both functions run in the transaction that adds the accounts. */
export interface ImportPort {
  /** Finds users who cannot be added, with the reason. A user who exists already is judged too, because it may be another person. */
  judge?(users: readonly UserToImport[], db: Database): Promise<ReadonlyMap<ImportedUser, ChangeRefused>>;
  /** Stores the details of accounts that were just added. @param time no later than `created_at` of the accounts, in milliseconds */
  store(users: readonly (ImportedUser & { readonly id: string })[], db: Database, time: number): Promise<void>;
}

/** A `sub` that an import may give. The column has 36 characters, and `|` is in those of Auth0. */
const subjectPattern = /^[A-Za-z0-9][A-Za-z0-9._|-]{0,35}$/;

/** @throws {ChangeRefused} */
export function requireSubject(text: string): string {
  if (subjectPattern.test(text)) return text;
  throw new ChangeRefused(
    'A sub has at most 36 letters, digits, dots, hyphens, underscores and bars, and begins with a letter or a digit.',
  );
}

/**
 * Returns what no other user of the same file may have. A handle and a `sub` share their names, because applications may take one for the
 * other (RFC 9700 4.15).
 */
export function keysOf({ username, handle, subject, identities = [] }: ImportedUser): ReadonlyMap<string, string> {
  return new Map([
    [`user ${username}`, 'user'],
    ...(handle === undefined ? [] : [[`name ${handle}`, 'handle'] as const]),
    ...(subject === undefined ? [] : [[`name ${subject}`, 'sub'] as const]),
    ...identities.map(({ issuer, subject: id }) => [`at ${issuer} ${id}`, 'account at another provider'] as const),
  ]);
}
