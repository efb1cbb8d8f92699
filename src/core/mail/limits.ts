import type { Policy } from '../throttle/backoff.ts';

const minute = 60;
const hour = 60 * minute;

/** At most one mail a minute and five an hour for each address and purpose (ASVS 6.3.1). */
export const perMinute: Policy = { free: 1, firstWaitSeconds: minute, longestWaitSeconds: minute, keepSeconds: minute };
export const perHour: Policy = { free: 5, firstWaitSeconds: hour, longestWaitSeconds: hour, keepSeconds: hour };

/** The limit of a client address, a user, or an administrator. It is higher, because a whole office may share an address. */
export const perClient: Policy = { ...perHour, free: 20, firstWaitSeconds: minute, forgiveSeconds: 3 * minute };

/** The limit of an end site (an IPv4 address or an IPv6 /48). A /48 has 65,536 /64s, and a mobile network gives each of its users a /64. */
export const perEndSite: Policy = { ...perHour, free: 100, firstWaitSeconds: minute / 2, forgiveSeconds: minute / 2 };

/** The limit of the mails that administrators cause about one account, to any address. */
export const perTarget: Policy = { ...perHour, free: 10 };

/**
 * The limits that a requested mail counts against: `minute` and `hour` per address and purpose; `party` per requester (a user, an
 * administrator or a network), and per account that an administrator acts on.
 */
export type Count = 'minute' | 'hour' | 'party';

/** The values that a mail shows. */
export type Details = Readonly<Record<string, string>>;

/** How the notices about one account to one address are merged. */
export interface Merging {
  /**
   * The length of a window, in seconds. It begins with a notice. The first notice of each kind is sent at once. All further notices in the
   * window become one mail at its end.
   */
  readonly windowSeconds: number;
  /** The purpose of the merged mail. */
  readonly mergedPurpose: string;
  /** Returns the values of the merged mail. @param waiting its values so far @param purpose of the notice that joins it */
  collect(waiting: Details | undefined, details: Details, purpose: string): Details;
}

/**
 * How many mails of a purpose are sent. `counted`: requests beyond these limits are refused. With `reportsEvent`, the mail reports
 * something that has happened, so it may use the room of notices (`mostMails`). `merged`: notices have no such limit, because each reports
 * something that has happened. `daily`: the code that adds the mail claims a lease for a day.
 */
export type MailLimit =
  | { readonly counted: readonly Count[]; readonly reportsEvent?: true }
  | { readonly merged: Merging }
  | { readonly daily: true };

/** The limit of a mail that strangers, users or administrators request. */
export const requested = { counted: ['minute', 'hour', 'party'] } as const satisfies MailLimit;

/**
 * The most mails that wait to be sent. Processes that add mails at the same time may exceed these limits by a few. Of the mails that were
 * given up, `givenUp` that strangers caused are kept for a retry, and as many others.
 */
export const mostMails = {
  ofStrangers: 10_000,
  /**
   * Once this many mails of any kind wait, Janua refuses requests of signed-in users and administrators. The room up to `inAll` is for
   * notices.
   */
  ofRequests: 15_000,
  inAll: 20_000,
  /** The most mails that one network, account or administrator has caused. Further requests are refused. */
  ofParty: 200,
  /** The most mails of an account, including its notices. */
  withNotices: 400,
  /** The most mails to one address. Further requests are refused. Mails that strangers caused are counted separately. */
  toAddress: 20,
  /** The most mails that commands and imports have caused and that are due, while imported users are invited. */
  dueOfImports: 100,
  /** The same for mails that wait, also for a further try. An import with a dead domain would otherwise fill the queue. */
  ofImports: 5_000,
  givenUp: 1_000,
} as const;
