import type { Policy } from '../throttle/policy.ts';

const minute = 60;
const hour = 60 * minute;

/** At most one mail a minute and five an hour for each address and purpose (ASVS 6.3.1). */
export const perMinute: Policy = { free: 1, firstWaitSeconds: minute, longestWaitSeconds: minute, keepSeconds: minute };
export const perHour: Policy = { free: 5, firstWaitSeconds: hour, longestWaitSeconds: hour, keepSeconds: hour };

/** A client address, a user, or an administrator. Whole offices share an address. */
export const perClient: Policy = { ...perHour, free: 20, firstWaitSeconds: minute, forgiveSeconds: 3 * minute };

/** An end site has 65,536 /64s, and a mobile network gives each of its users one. */
export const perEndSite: Policy = { ...perHour, free: 100, firstWaitSeconds: minute / 2, forgiveSeconds: minute / 2 };

/** The mails that administrators cause about one account, to whatever address. */
export const perTarget: Policy = { ...perHour, free: 10 };

/** What counts a requested mail: its address and purpose, the party that asked, and the account that an administrator acts on. */
export type Count = 'minute' | 'hour' | 'party';

/** The values that a mail tells. */
export type Details = Readonly<Record<string, string>>;

/** Notices of one account to one address. */
export interface Merging {
  /** The first notice of each kind goes out at once. Those that follow within this time wait for its end, and are one mail. */
  readonly windowSeconds: number;
  /** The purpose of that mail. */
  readonly into: string;
  /** Gives what that mail tells. @param waiting what it tells so far @param purpose of the notice that joins it */
  collect(waiting: Details | undefined, details: Details, purpose: string): Details;
}

/**
 * How many mails of a purpose go out. `counted`: a request beyond is refused. Those that tell of what has happened wait in the room of
 * notices. `merged`: nothing is refused, because each tells of something that has happened. `daily`: its cause holds a lease for a day.
 */
export type MailLimit =
  | { readonly counted: readonly Count[]; readonly tells?: true }
  | { readonly merged: Merging }
  | { readonly daily: true };

/** Requested by strangers, users or administrators. */
export const requested = { counted: ['minute', 'hour', 'party'] } as const satisfies MailLimit;

/**
 * The most mails that wait to be sent. Processes that add at the same time may exceed them by a few. Given-up mails are kept for `retry`:
 * the latest of strangers, and as many others.
 */
export const mostMails = {
  ofStrangers: 10_000,
  /** All at which a request of a signed-in user or an administrator is refused. The rest is for notices. */
  ofRequests: 15_000,
  inAll: 20_000,
  /** Of a network, an account or an administrator, at which its request is refused. */
  ofParty: 200,
  /** Of an account, its notices included. */
  withNotices: 400,
  /** To one address, at which a request is refused. Those of strangers are counted apart. */
  toAddress: 20,
  givenUp: 1_000,
} as const;
