import { lookup, Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { createTurns } from '../../../ground/faults/turns.ts';
import { Unavailable } from '../../../ground/faults/unavailable.ts';

/** Finds the addresses of a host. @throws {Error} if it has none, or when the signal ends the search */
export type FindAddresses = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

/** Milliseconds until a name server is asked again, and how often it is asked. */
const [queryMilliseconds, queries] = [1_000, 2];

/** Milliseconds to wait for the addresses of one family after those of the other have come (RFC 8305 3 says 50). */
const otherFamilyMilliseconds = 300;

/**
 * Asks the name servers of the machine, and stops when the signal says so. `dns.lookup` cannot be stopped: two look-ups at a name server
 * that never answers take all threads that Node has for names, also those for the database and the mail server. It does not read files of
 * the system such as `/etc/hosts`, its search domains, or other sources of names (`nsswitch.conf`).
 * @param servers default: those of the machine
 */
export const createDnsSearch =
  (servers?: readonly string[]): FindAddresses =>
  async (host, signal) => {
    signal.throwIfAborted();
    // Each search has its own resolver, because `cancel` ends all queries of a resolver.
    const resolver = new Resolver({ timeout: queryMilliseconds, tries: queries });
    if (servers !== undefined) resolver.setServers(servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel);
    const found: string[] = [];
    const families = [resolver.resolve4(host), resolver.resolve6(host)].map(async (family) => {
      found.push(...(await family));
    });
    const all = Promise.allSettled(families);
    try {
      await Promise.any(families).catch(({ errors: [error] }: AggregateError) => Promise.reject(error));
      await Promise.race([all, setTimeout(otherFamilyMilliseconds, undefined, { ref: false })]);
      // IPv4 comes first. Few machines reach every IPv6 address, and a machine without IPv4 notices it at once.
      return found.toSorted((one, other) => Number(isIPv6(one)) - Number(isIPv6(other)));
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  };

/**
 * Asks the operating system, as all programs of the machine do. It finds hosts that the operator has listed, which may be in `/etc/hosts`
 * or a search domain. Such a search cannot be stopped. One runs at a time, so that a name server that never answers takes one thread.
 * @param part the part that `Unavailable` names
 */
export function createSystemSearch(part: string, find: typeof lookup = lookup): FindAddresses {
  const turns = createTurns({ part, atOnce: 1, waiting: 100 });

  return (host, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const search = async () => {
      // Awaits the search, because the turn must not end before it, even if the caller no longer waits.
      await find(host, { all: true }).then((found) => resolve(found.map(({ address }) => address)), reject);
    };
    turns.take({ places: [], parties: [host] }, search, signal).catch(reject);
    // Only the operator's own name server can be at fault, so this is no error of the application.
    const leave = () => reject(new Unavailable(part, 2, signal.reason));
    signal.addEventListener('abort', leave);
    return promise.finally(() => signal.removeEventListener('abort', leave));
  };
}
