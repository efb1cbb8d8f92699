import { hash, randomBytes } from 'node:crypto';
import type { Rights } from './scopes.ts';
import type { User } from './user.ts';

export interface Account {
  readonly user: User;
  /** The hash as stored. It may be weak, made by another program, or broken. Undefined if the account has no password. */
  readonly passwordHash: string | undefined;
  readonly disabled: boolean;
  /** The scopes that the groups of the user grant (RFC 6749 3.3). */
  readonly scopes: readonly string[];
  /** Whether the address is verified (`Verification`). Applications link accounts by such an address. */
  readonly isAddressVerified?: boolean;
  /**
   * Whether forward auth may pass the address on to applications: it is verified, or another provider, an operator, a member of `admins` or
   * a team's own table says that it is the user's.
   */
  readonly isAddressVouched?: boolean;
  /** Whether the user was invited by mail, and has not used the link. */
  readonly isInvitedByMail?: boolean;
  /** Whether this is a user of the demo on a server outside the demo. A sign-up with the same address replaces the user. */
  readonly isReplaceable?: boolean;
  /**
   * The digest of the password hash that Janua saw last in a team's own table (`passwordPrintOf`). Null until Janua has noted the password
   * of an account of version 0.2. Undefined for an account in Janua's own table.
   */
  readonly passwordPrint?: string | null;
  /** Whether the user of a team's own table was disabled when Janua saw the row last, and is enabled now. */
  readonly wasDisabled?: boolean;
  /** Set if the team never gives an id to another person (`USERS_ID=permanent`). Fingerprints then cover the id instead of the name. */
  readonly hasPermanentId?: true;
  /** The client id of the program that added the user (`SignedIn.machine`). */
  readonly addedBy?: string;
  /** The previous name, if a team's own table with permanent ids has a new one that Janua has not stored yet (`acceptName`). */
  readonly formerName?: string;
  /**
   * Changes when the account's sessions have to end. Undefined in accounts of version 0.2, where a fingerprint of the name and the stored
   * password replaces it.
   */
  readonly stamp: string | undefined;
}

/**
 * The proof that the address is the user's: a mailed link that its owner used, a provider that is trusted for it, a member of `admins`, or
 * a command. A change of the address voids the proof.
 */
export interface Verification {
  readonly how: 'mail' | 'upstream' | 'administrator' | 'command';
  /** The id of the provider or of the administrator, or the account of the operator. */
  readonly by?: string | undefined;
}

/** `at` is undefined for an address that was verified by a link of an older version. */
export type PastVerification = Verification & { readonly at: Date | undefined };

/** A user who was found by name, and has not proved their identity yet. */
export interface Candidate extends Pick<Account, 'passwordHash' | 'disabled'> {
  /** Undefined if a row of a team's own table has this name, and Janua has no account for it yet. */
  readonly account: Account | undefined;
  /**
   * Returns the account, which is created if Janua has none. Called once the user has proved their identity. Undefined if the user is gone
   * meanwhile.
   */
  adopt(): Promise<Account | undefined>;
}

/** Returns the candidate for an account that Janua knows. */
export const candidateOf = (account: Account): Candidate => ({ ...account, account, adopt: async () => account });

export const rightsOfAccount = ({ user, scopes, addedBy }: Pick<Account, 'user' | 'scopes' | 'addedBy'>): Rights => ({
  groups: user.groups,
  scopes,
  addedBy: addedBy ?? null,
});

/**
 * Each session carries the stamp of its account, and ends when the stamp changes, whatever program changed it (ASVS 7.4.3). An account that
 * version 0.2 created has no stamp, and uses a fingerprint of its user name and stored password.
 */
export const stampOf = (account: Account): string => account.stamp ?? passwordFingerprint(account);

/** Joins the stamp with a fingerprint of the password, because another program may change the password in a team's own table. */
export const joinedStamp = (stamp: string, owner: PasswordOwner): string =>
  hash('sha256', `${stamp}\0${ownerText(owner)}`, 'base64url');

type PasswordOwner = Pick<Account, 'passwordHash' | 'hasPermanentId'> & {
  readonly user: Pick<User, 'id' | 'username'>;
};

/** Returns a digest that tells one stored hash from another without revealing it. */
export const passwordPrintOf = (passwordHash = ''): string => hash('sha256', passwordHash, 'base64url');

/**
 * Tells whether another program has changed the password in a team's own table since Janua saw it last. Personal access tokens carry no
 * stamp that would end them, so Janua then refuses them. Undefined for an account in Janua's own table, and until Janua has noted the
 * password of an account of version 0.2.
 */
export const hasForeignPassword = ({
  passwordPrint,
  passwordHash,
}: Pick<Account, 'passwordPrint' | 'passwordHash'>): boolean | undefined =>
  passwordPrint == null ? undefined : passwordPrint !== passwordPrintOf(passwordHash);

/**
 * Returns a fingerprint that reveals neither name nor stored password. It covers the name unless ids are permanent, because a team may give
 * an id to another person.
 */
export const passwordFingerprint = (owner: PasswordOwner): string => hash('sha256', ownerText(owner), 'base64url');

const ownerText = ({ user, passwordHash = '', hasPermanentId }: PasswordOwner): string =>
  `${hasPermanentId ? user.id : user.username}\0${passwordHash}`;

/** Creates a stamp: 128 random bits, base64url. */
export const createStamp = (): string => randomBytes(16).toString('base64url');
