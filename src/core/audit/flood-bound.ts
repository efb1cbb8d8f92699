import { endSiteOf } from '../../ground/text/networks.ts';
import type { AuditEvent, Events } from './event.ts';

const minute = 60_000;

/** Most parties that are remembered. The party that was seen longest ago is forgotten first. */
const mostBuckets = 10_000;

export interface Allowance {
  readonly burst: number;
  readonly perMinute: number;
}

/** How many events of one kind are recorded for one account, for one end site (an IPv4 address or an IPv6 /48), and in total. */
export interface Bound {
  readonly account?: Allowance;
  readonly endSite: Allowance;
  readonly all: Allowance;
}

/** By the clients that can cause the event. docs/audit.md gives the totals per day. */
export const bounds: Readonly<Record<'anyone' | 'account-holder', Bound>> = {
  anyone: { endSite: { burst: 120, perMinute: 2 }, all: { burst: 500, perMinute: 3 } },
  'account-holder': {
    account: { burst: 60, perMinute: 1 },
    endSite: { burst: 3000, perMinute: 20 },
    all: { burst: 20_000, perMinute: 300 },
  },
};

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
  const take = createBuckets(events, now, processes);
  const leftOut = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function report(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const [kind, count] of leftOut) onLeftOut(kind, count);
    leftOut.clear();
  }

  return {
    /**
     * Whether the event may be kept.
     * @param counts whether it counts already. The event of a change counts once its transaction is committed
     */
    admits(event: AuditEvent, counts = true): boolean {
      const { by = 'anyone', isChange = false } = events[event.kind] ?? {};
      // What operators and administrators change is always kept.
      const isTrusted = event.caller.operator !== undefined || (isChange && event.actorId !== undefined);
      if (by === 'operator' || isTrusted) return true;
      if (take(event, bounds[by], counts)) return true;
      if (!counts) return false;
      leftOut.set(event.kind, (leftOut.get(event.kind) ?? 0) + 1);
      timer ??= setTimeout(report, minute).unref();
      return false;
    },
    close: report,
  };
}

/** Token buckets: each refills up to `burst`, by `perMinute`. */
function createBuckets(events: Events, now: () => number, processes: number) {
  interface Bucket {
    readonly level: number;
    readonly at: number;
  }
  // Kinds are few, and never forgotten. Otherwise a flood from many parties would lift the bound of all.
  const ofKinds = new Map<string, Bucket>();
  const ofParties = new Map<string, Bucket>();

  function levelOf(known: Bucket | undefined, { burst, perMinute }: Allowance, time: number): number {
    const full = Math.max(1, burst / processes);
    if (known === undefined) return full;
    // The clock may have been set back.
    const minutes = Math.max(0, time - known.at) / minute;
    return Math.min(full, known.level + (minutes * perMinute) / processes);
  }

  return ({ kind, reason, userId, caller }: AuditEvent, { account, endSite, all }: Bound, counts: boolean): boolean => {
    const time = now();
    const name = events[kind]?.isLimitedByReason ? `${kind} ${reason}` : kind;
    const found = [
      { buckets: ofKinds, key: name, allowance: all },
      { buckets: ofParties, key: `${name} from ${endSiteOf(caller.address)}`, allowance: endSite },
      ...(userId === undefined || !account
        ? []
        : [{ buckets: ofParties, key: `${name} of ${userId}`, allowance: account }]),
    ].map((bucket) => ({ ...bucket, level: levelOf(bucket.buckets.get(bucket.key), bucket.allowance, time) }));
    const passes = found.every(({ level }) => level >= 1);
    if (!counts) return passes;
    for (const { buckets, key, level } of found) {
      buckets.delete(key);
      buckets.set(key, { level: passes ? level - 1 : level, at: time });
    }
    for (const key of ofParties.keys()) {
      if (ofParties.size <= mostBuckets) break;
      ofParties.delete(key);
    }
    return passes;
  };
}
