import { hash, randomBytes } from 'node:crypto';
import type { Rights } from './scopes.ts';
import type { User } from './user.ts';

export interface Account {
  readonly user: User;
  /** As stored; may be weak, foreign or broken. Undefined if the account has none. */
  readonly passwordHash: string | undefined;
  readonly disabled: boolean;
  /** The scopes that the groups of the user grant (RFC 6749 3.3). */
  readonly scopes: readonly string[];
  /** Whether the address is verified (`Verification`). Applications link accounts by such an address. */
  readonly isAddressVerified?: boolean;
  /**
   * Whether proxies may pass the address on: it is verified, or another provider, an operator, a member of `admins` or a team's own table
   * says that it is the user's.
   */
  readonly isAddressVouched?: boolean;
  /** Whether the user was invited by mail, and has not used the link. */
  readonly isInvitedByMail?: boolean;
  /** Whether it is a user of the demo, outside the demo. A sign-up with its address replaces it. */
  readonly isReplaceable?: boolean;
  /**
   * Whether another program has changed the password in a team's own table since Janua saw it last. Personal access tokens, which carry no
   * stamp, count no more. Undefined for an own account, and until Janua has noted the password of an account of version 0.2.
   */
  readonly hasForeignPassword?: boolean | undefined;
  /** Whether Janua saw the user disabled last, in a team's own table that says otherwise now. */
  readonly wasDisabled?: boolean;
  /** Of a team's own table with permanent ids: the id stands for the user, and no proof is bound to the name. */
  readonly hasPermanentId?: true;
  /** The name that Janua saw last, if a team's own table with permanent ids has another one now. */
  readonly formerName?: string;
  /** Changes when the account's sessions have to end. Undefined if only the stored password shows that. */
  readonly stamp: string | undefined;
}

/**
 * The proof that the address is the user's: a mailed link that its owner used, a provider that is trusted for it, a member of `admins`, or
 * a command. It is void once the address changes.
 */
export interface Verification {
  readonly how: 'mail' | 'upstream' | 'administrator' | 'command';
  /** The id of the provider or of the administrator, or the account of the operator. */
  readonly by?: string | undefined;
}

/** `at` is undefined for a link of an older version. */
export type PastVerification = Verification & { readonly at: Date | undefined };

/** The user of a name, who has proved nothing yet. */
export interface Candidate extends Pick<Account, 'passwordHash' | 'disabled'> {
  /** Undefined if the user is in a team's own table, and Janua has not seen them under this name. */
  readonly account: Account | undefined;
  /** Gives the user an account, once they have proved who they are. Undefined if they are gone meanwhile. */
  adopt(): Promise<Account | undefined>;
}

/** The candidate of an account that Janua knows. */
export const candidateOf = (account: Account): Candidate => ({ ...account, account, adopt: async () => account });

export const rightsOfAccount = ({ user, scopes }: Pick<Account, 'user' | 'scopes'>): Rights => ({
  groups: user.groups,
  scopes,
});

/**
 * Each session carries the stamp of its account, and ends when the stamp changes, whatever program changed it (ASVS 7.4.3). An account
 * without a stamp, as version 0.2 had them, uses a fingerprint of its user name and stored password.
 */
export const stampOf = (account: Account): string => account.stamp ?? passwordFingerprint(account);

/** The stamp of a user of a team's own table, whose password another program may change: it covers both. */
export const joinedStamp = (stamp: string, owner: PasswordOwner): string =>
  hash('sha256', `${stamp}\0${passwordFingerprint(owner)}`, 'base64url');

type PasswordOwner = Pick<Account, 'passwordHash' | 'hasPermanentId'> & {
  readonly user: Pick<User, 'id' | 'username'>;
};

/** Tells one stored hash from another, and does not reveal it. */
export const printOf = (passwordHash = ''): string => hash('sha256', passwordHash, 'base64url');

/** Reveals neither name nor stored password. It covers the name, because a team may give an id to another person. */
export const passwordFingerprint = ({ user, passwordHash = '', hasPermanentId }: PasswordOwner): string =>
  hash('sha256', `${hasPermanentId ? user.id : user.username}\0${passwordHash}`, 'base64url');

/** A new stamp: 128 random bits, base64url. */
export const createStamp = (): string => randomBytes(16).toString('base64url');
