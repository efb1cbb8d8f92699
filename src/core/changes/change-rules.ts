/** What a kind of change brings about, besides the change itself. */
interface ChangeRule {
  /** The account gets a new stamp. What carries the old one ends: sessions, links, trust in browsers, logins that wait. */
  readonly newStamp?: true;
  /** Open links end although the stamp stays. */
  readonly endsLinks?: true;
  /** What carries no stamp ends: personal access tokens, and what the user let applications have. */
  readonly endsUnstamped?: true;
  /** The records of sessions are removed. With a new stamp, the one that makes the change stays. */
  readonly endsSessions?: true;
  /** The failed logins of the account are forgotten. `all`: the wrong codes too */
  readonly liftsFailures?: 'passwords' | 'all';
  /** Changes groups, or who is an administrator. */
  readonly locksGroups?: true;
  /** The purpose of the mail that tells the user. */
  readonly notice?: string;
}

const ends = { newStamp: true, endsSessions: true } as const;
const newPassword = { ...ends, liftsFailures: 'passwords' } as const;
const gone = { endsSessions: true, liftsFailures: 'all', locksGroups: true } as const;

/**
 * Every change to an account, by its event (ASVS 7.4.2, 7.4.3). A new way to sign in, or one fewer, ends what was opened with the former
 * ones. The address, the names, the groups and enabling leave the owner the same, so sessions stay.
 */
const rules = {
  'password-changed': { ...newPassword, notice: 'password-changed' },
  'password-reset': { ...newPassword, endsUnstamped: true, notice: 'password-reset' },
  'password-set': { ...newPassword, endsUnstamped: true },
  'signed-up': { newStamp: true },
  'factor-added': { ...ends, notice: 'factors-changed' },
  'factor-removed': { ...ends, notice: 'factors-changed' },
  'recovery-codes-renewed': { ...ends, notice: 'factors-changed' },
  'factors-removed': { ...ends, endsUnstamped: true, notice: 'factors-changed' },
  'identity-linked': { ...ends, notice: 'sign-in-methods-changed' },
  'identity-unlinked': { ...ends, notice: 'sign-in-methods-changed' },
  'email-changed': { endsLinks: true },
  'address-verified': {},
  'address-verified-upstream': {},
  'profile-changed': {},
  'user-groups-changed': { locksGroups: true },
  'user-enabled': {},
  'user-disabled': { ...ends, endsUnstamped: true, locksGroups: true },
  'user-removed': gone,
  'account-deleted': { ...gone, notice: 'account-deleted' },
} as const satisfies Readonly<Record<string, ChangeRule>>;

export type ChangeKind = keyof typeof rules;

export const changeRules: Readonly<Record<ChangeKind, ChangeRule>> = rules;
