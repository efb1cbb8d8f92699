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
   * Whether proxies may pass the address on: it is verified, or another provider, an operator, a member of `admins` or a team's own table
   * says that it is the user's.
   */
  readonly isAddressVouched?: boolean;
  /** Whether the user was invited by mail, and has not used the link. */
  readonly isInvitedByMail?: boolean;
  /** Whether this is a user of the demo, on a server that is not in the demo. A sign-up with the same address replaces the user. */
  readonly isReplaceable?: boolean;
  /**
   * The print of the password that Janua saw last in a team's own table. Null until Janua has noted the password of an account of version
   * 0.2. Undefined for an own account.
   */
  readonly passwordPrint?: string | null;
  /** Whether Janua last saw the user disabled, although a team's own table says otherwise now. */
  readonly wasDisabled?: boolean;
  /** Set if a team's own table has permanent ids: the id stands for the user, and no proof is bound to the name. */
  readonly hasPermanentId?: true;
  /** The name that Janua saw last, if a team's own table with permanent ids has another one now. */
  readonly formerName?: string;
  /**
   * Changes when the account's sessions have to end. Undefined in accounts of version 0.2, where the name and the stored password replace
   * it.
   */
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

/** `at` is undefined for an address that was verified by a link of an older version. */
export type PastVerification = Verification & { readonly at: Date | undefined };

/** The user with a given name, who has proved nothing yet. */
export interface Candidate extends Pick<Account, 'passwordHash' | 'disabled'> {
  /** Undefined if the user is in a team's own table, and Janua has not seen them under this name. */
  readonly account: Account | undefined;
  /**
   * Returns the account, which is created if Janua has none. Called once the user has proved their identity. Undefined if the user is gone
   * meanwhile.
   */
  adopt(): Promise<Account | undefined>;
}

/** Returns the candidate for an account that Janua knows. */
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

/** Joins the stamp with a fingerprint of the password, because another program may change the password in a team's own table. */
export const joinedStamp = (stamp: string, owner: PasswordOwner): string =>
  hash('sha256', `${stamp}\0${ownerText(owner)}`, 'base64url');

type PasswordOwner = Pick<Account, 'passwordHash' | 'hasPermanentId'> & {
  readonly user: Pick<User, 'id' | 'username'>;
};

/** Returns a digest that tells one stored hash from another without revealing it. */
export const passwordPrintOf = (passwordHash = ''): string => hash('sha256', passwordHash, 'base64url');

/**
 * Tells whether another program has changed the password in a team's own table since Janua saw it last. Personal access tokens are then
 * refused, because they carry no stamp. Undefined for an own account, and until Janua has noted the password of an account of version 0.2.
 */
export const hasForeignPassword = ({
  passwordPrint,
  passwordHash,
}: Pick<Account, 'passwordPrint' | 'passwordHash'>): boolean | undefined =>
  passwordPrint == null ? undefined : passwordPrint !== passwordPrintOf(passwordHash);

/**
 * Returns a fingerprint that reveals neither name nor stored password. It covers the name, because a team may give an id to another person.
 */
export const passwordFingerprint = (owner: PasswordOwner): string => hash('sha256', ownerText(owner), 'base64url');

const ownerText = ({ user, passwordHash = '', hasPermanentId }: PasswordOwner): string =>
  `${hasPermanentId ? user.id : user.username}\0${passwordHash}`;

/** Creates a stamp: 128 random bits, base64url. */
export const createStamp = (): string => randomBytes(16).toString('base64url');
