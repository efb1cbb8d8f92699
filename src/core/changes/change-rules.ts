/** The effects of a kind of change, besides the change itself. */
export interface ChangeRule {
  /** The account gets a new stamp (`stampOf`). Sessions, links, trust in browsers and pending logins carry the old stamp, and end. */
  readonly newStamp?: true;
  /** Open links end although the stamp stays. */
  readonly endsLinks?: true;
  /** Personal access tokens and the user's consents end. They carry no stamp. */
  readonly endsUnstamped?: true;
  /** The records of sessions are removed. With a new stamp, the session that makes the change stays. */
  readonly endsSessions?: true;
  /** The failed logins of the account are forgotten. `all`: the wrong codes of second factors too */
  readonly liftsFailures?: 'passwords' | 'all';
  /** The change concerns groups or administrators, so it runs in `inGroupsTransaction`. */
  readonly locksGroups?: true;
  /** The purpose of the mail that tells the user. After a change of address, the mail goes to both addresses. */
  readonly notice?: string;
}

const ends = { newStamp: true, endsSessions: true } as const;
const newPassword = { ...ends, liftsFailures: 'passwords' } as const;
const removal = { endsSessions: true, liftsFailures: 'all', locksGroups: true } as const;

/**
 * The rules of all changes to an account, by the kind of event (ASVS 7.4.2, 7.4.3). A change of the ways to sign in ends the sessions that
 * the former ways opened. Sessions stay if the owner stays the same: after a change of address by the owner, a change of names or groups,
 * and enabling. An administrator may give the account the address of another person. Everything that the former address proved therefore
 * ends. The rule that keeps the last administrator is in `core/users/last-administrator.ts`.
 */
const rules = {
  'password-changed': { ...newPassword, notice: 'password-changed' },
  'password-reset': { ...newPassword, endsUnstamped: true, notice: 'password-reset' },
  'password-set': { ...newPassword, endsUnstamped: true },
  /** Another program has set the password in a team's own table. It may restore the former one, which must revive no session or token. */
  'password-changed-elsewhere': { ...ends, endsUnstamped: true },
  /** Only for teams with permanent ids. The user stays the same, as after a change of address by the owner. */
  'user-renamed-elsewhere': { endsLinks: true, notice: 'email-changed' },
  'user-disabled-elsewhere': { ...ends, endsUnstamped: true },
  'signed-up': { newStamp: true },
  'factor-added': { ...ends, notice: 'factors-changed' },
  'factor-removed': { ...ends, notice: 'factors-changed' },
  'recovery-codes-renewed': { ...ends, notice: 'factors-changed' },
  'factors-removed': { ...ends, endsUnstamped: true, notice: 'factors-changed' },
  'identity-linked': { ...ends, notice: 'sign-in-methods-changed' },
  'identity-unlinked': { ...ends, notice: 'sign-in-methods-changed' },
  'email-changed': { endsLinks: true, locksGroups: true, notice: 'email-changed' },
  'address-verified': {},
  'address-verified-upstream': {},
  'profile-changed': {},
  'user-renamed': {},
  'user-handle-changed': {},
  'handle-chosen': {},
  'user-claims-changed': { locksGroups: true },
  'user-email-changed': { ...ends, endsUnstamped: true, locksGroups: true, notice: 'email-changed' },
  'user-groups-changed': { locksGroups: true },
  'user-enabled': {},
  'user-disabled': { ...ends, endsUnstamped: true, locksGroups: true },
  // Ends everything that a thief may have got with a session. Personal access tokens end only on request (`sparesTokens`).
  'sessions-ended': { ...ends, endsUnstamped: true, notice: 'sessions-ended' },
  'user-removed': removal,
  'account-deleted': { ...removal, notice: 'account-deleted' },
} as const satisfies Readonly<Record<string, ChangeRule>>;

export type ChangeKind = keyof typeof rules;

export const changeRules: Readonly<Record<ChangeKind, ChangeRule>> = rules;
