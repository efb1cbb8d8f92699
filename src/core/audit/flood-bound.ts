import { asServer } from '../../ground/faults/requester.ts';
import { endSiteOf } from '../../ground/text/networks.ts';
import type { AuditEvent, Events } from './event.ts';

const minute = 60_000;

/** The most buckets of accounts, networks and administrators. The bucket that was used longest ago is removed first. */
const mostBuckets = 10_000;

export interface Allowance {
  readonly burst: number;
  readonly perMinute: number;
}

/** Limits of the events of one kind: for one account, for one end site (an IPv4 address or an IPv6 /48), and in total. */
export interface Bound {
  readonly account?: Allowance;
  readonly endSite: Allowance;
  readonly all: Allowance;
}

/** The allowance of one account, for each kind of event or change. */
const perAccount: Allowance = { burst: 60, perMinute: 1 };

/** The limits by the clients that can cause the event. docs/audit.md gives the totals per day. */
export const bounds: Readonly<Record<'anyone' | 'account-holder', Bound>> = {
  anyone: { endSite: { burst: 120, perMinute: 2 }, all: { burst: 500, perMinute: 3 } },
  'account-holder': {
    account: perAccount,
    endSite: { burst: 3000, perMinute: 20 },
    all: { burst: 20_000, perMinute: 300 },
  },
};

/**
 * Janua refuses changes beyond these limits. Each process of a server has the whole limits: with a sixteenth of them, one of 16 processes
 * would refuse the fourth change in a row. Networks and the total have no limit, because the users of an office must not cause refusals for
 * each other.
 */
export const changeBounds = {
  account: perAccount,
  administrator: { burst: 1000, perMinute: 30 },
} as const satisfies Readonly<Record<string, Allowance>>;

/** Changed rows, such as the members of a group, that cost an act one token of its bucket. An act costs at least one token. */
export const rowsOfToken = 1000;

/** A bucket from which an event takes a token. */
interface BucketUse {
  readonly of: 'kind' | 'party';
  readonly key: string;
  readonly allowance: Allowance;
}

/**
 * Limits how many events clients can add to the audit. Clients with an account are limited too (ASVS 16.4.2, 2.4.1).
 * @param now milliseconds since 1970
 * @param processes number of processes that share the bounds
 * @param onLeftOut called once for each kind and minute in which events were left out
 */
export function createFloodBound(
  events: Events,
  now: () => number,
  processes: number,
  onLeftOut: (kind: string, count: number) => void,
) {
  const take = createBuckets(now);
  const leftOut = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function report(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const [kind, count] of leftOut) onLeftOut(kind, count);
    leftOut.clear();
  }

  const shareOf = ({ burst, perMinute }: Allowance): Allowance => ({
    burst: Math.max(1, burst / processes),
    perMinute: perMinute / processes,
  });

  function claimsOf({ kind, reason, userId, caller }: AuditEvent): readonly BucketUse[] {
    const { by = 'anyone', isLimitedByReason = false } = events[kind] ?? {};
    if (by === 'operator' || caller.operator !== undefined) return [];
    const { account, endSite, all } = bounds[by];
    const name = isLimitedByReason ? `${kind} ${reason}` : kind;
    const ofAccount = userId !== undefined && account;
    return [
      { of: 'kind', key: name, allowance: shareOf(all) },
      { of: 'party', key: `${name} from ${endSiteOf(caller.address)}`, allowance: shareOf(endSite) },
      ...(ofAccount ? [{ of: 'party', key: `${name} of ${userId}`, allowance: shareOf(account) } as const] : []),
    ];
  }

  /** Returns the buckets of a change by an account, or of another act of an administrator. Operators have no limit. */
  function claimsOfAct({ kind, userId, actorId, caller }: AuditEvent): readonly BucketUse[] {
    const { by = 'anyone' } = events[kind] ?? {};
    if (caller.operator !== undefined) return [];
    if (actorId !== undefined)
      return [{ of: 'party', key: `${kind} by ${actorId}`, allowance: changeBounds.administrator }];
    if (by !== 'account-holder' || userId === undefined) return [];
    return [{ of: 'party', key: `change ${kind} of ${userId}`, allowance: changeBounds.account }];
  }

  return {
    /**
     * Checks whether the event may be stored.
     * @param counts whether to count the event now. An event in a transaction is counted after the commit
     */
    admits(event: AuditEvent, counts = true): boolean {
      if (take(claimsOf(event), counts)) return true;
      if (!counts) return false;
      leftOut.set(event.kind, (leftOut.get(event.kind) ?? 0) + 1);
      timer ??= asServer(() => setTimeout(report, minute).unref());
      return false;
    },
    /** Checks whether Janua refuses the act beyond its allowance. The event of each such act is stored. */
    isRefusable: ({ kind, actorId }: AuditEvent): boolean => actorId !== undefined || !events[kind]?.isNeverRefused,
    /** Checks whether the act has an allowance left. */
    allows: (event: AuditEvent): boolean => take(claimsOfAct(event), false),
    /** Counts an act that was done. */
    count(event: AuditEvent): void {
      take(claimsOfAct(event), true, Math.max(1, Math.ceil((event.count ?? 0) / rowsOfToken)));
    },
    close: report,
  };
}

/** Token buckets: each refills up to `burst`, by `perMinute`. */
function createBuckets(now: () => number) {
  interface Bucket {
    readonly level: number;
    readonly at: number;
  }
  // There are few kinds, and their buckets are never removed. Otherwise a flood from many networks would remove the limit on the total.
  const buckets = { kind: new Map<string, Bucket>(), party: new Map<string, Bucket>() };

  function levelOf(known: Bucket | undefined, { burst, perMinute }: Allowance, time: number): number {
    if (known === undefined) return burst;
    // The clock may have been set back.
    const minutes = Math.max(0, time - known.at) / minute;
    return Math.min(burst, known.level + minutes * perMinute);
  }

  /** Tells whether each bucket has a token left. With `counts`, it then takes `tokens`. A bucket may owe some, until it has refilled. */
  return (claims: readonly BucketUse[], counts: boolean, tokens = 1): boolean => {
    const time = now();
    const found = claims.map(({ of, key, allowance }) => {
      const level = levelOf(buckets[of].get(key), allowance, time);
      return { of, key, level };
    });
    const passes = found.every(({ level }) => level >= 1);
    if (!counts) return passes;
    for (const { of, key, level } of found) {
      buckets[of].delete(key);
      buckets[of].set(key, { level: passes ? level - tokens : level, at: time });
    }
    for (const key of buckets.party.keys()) {
      if (buckets.party.size <= mostBuckets) break;
      buckets.party.delete(key);
    }
    return passes;
  };
}
