import { hash } from 'node:crypto';
import type { Log } from '../../ground/faults/log.ts';
import { createTurns } from '../../ground/faults/turns.ts';

/** Milliseconds until the whole response must have arrived. */
const timeoutMilliseconds = 1000;

/**
 * The most requests of this process at once, of one account at once, and in the queue. Otherwise one account could open any number of
 * connections.
 */
export const pwnedLimits = { atOnce: 16, ofAccount: 1, waiting: 100 };

/**
 * Checks whether the service Pwned Passwords knows a password from a breach. Janua sends the first five characters of the SHA-1, and the
 * service returns the rest of about 1,000 digests. If it does not answer, no password is refused, and the log says so once. Accounts share
 * the turns. The returned function throws `Unavailable` when too many requests wait.
 * @param url such as `https://api.pwnedpasswords.com`
 */
export function createPwnedPasswords(url: string, log: Pick<Log, 'warn'>) {
  const { atOnce, ofAccount, waiting } = pwnedLimits;
  const turns = createTurns({ part: 'Pwned Passwords', atOnce, waiting });
  let isAway = false;

  async function ask(password: string): Promise<boolean> {
    const digest = hash('sha1', password, 'hex').toUpperCase();
    try {
      const counts = await readCounts(`${url}/range/${digest.slice(0, 5)}`);
      isAway = false;
      return (counts.get(digest.slice(5)) ?? 0) > 0;
    } catch (error) {
      if (!isAway)
        log.warn(
          { event: 'pwned_passwords_unavailable', reason: reasonOf(error) },
          'Pwned Passwords does not answer: new passwords are compared only with the list that comes with Janua',
        );
      isAway = true;
      return false;
    }
  }

  return (password: string, account: string): Promise<boolean> =>
    turns.take({ places: [{ key: account, atOnce: ofAccount }], parties: [account] }, () => ask(password));
}

/** Reads how often the service has seen each digest. It pads its response with digests that have the count 0. */
async function readCounts(url: string): Promise<Map<string, number>> {
  const headers = { 'add-padding': 'true', 'user-agent': 'Janua' };
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMilliseconds) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const lines = (await response.text()).matchAll(/^([\dA-F]{35}):(\d+)\r?$/gm);
  const counts = new Map([...lines].map(([, rest = '', count]) => [rest, Number(count)]));
  if (counts.size === 0) throw new Error('the answer has no digests');
  return counts;
}

/**
 * Returns the message of the cause, because it does not contain the requested address with a part of the digest. If several addresses
 * failed, the message is empty, and the code takes its place.
 */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause: NodeJS.ErrnoException = error.cause instanceof Error ? error.cause : error;
  return cause.message || cause.code;
}
