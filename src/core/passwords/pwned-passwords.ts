import { hash } from 'node:crypto';
import type { Log } from '../../ground/faults/log.ts';
import { createTurns } from '../../ground/faults/turns.ts';

/** Milliseconds until the whole answer must be there. */
const patience = 1000;

/** Questions of this process at once, those of one account, and those that wait. One account could otherwise open any number of connections. */
export const pwnedLimits = { atOnce: 16, ofAccount: 1, waiting: 100 };

/**
 * Asks the service Pwned Passwords whether a password is known from a breach. The service gets the first five characters of the SHA-1,
 * and answers with the rest of about 1,000 digests. A service that does not answer refuses no password, and is logged once. Accounts share
 * the turns. The returned function throws `Unavailable` when too many wait.
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

/** Gives how often each digest was seen. Padding has the count 0. */
async function readCounts(url: string): Promise<Map<string, number>> {
  const headers = { 'add-padding': 'true', 'user-agent': 'Janua' };
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const lines = (await response.text()).matchAll(/^([\dA-F]{35}):(\d+)\r?$/gm);
  const counts = new Map([...lines].map(([, rest = '', count]) => [rest, Number(count)]));
  if (counts.size === 0) throw new Error('the answer has no digests');
  return counts;
}

/** The message of the cause, which does not name the address that was asked for. If several addresses failed, it is empty. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause: NodeJS.ErrnoException = error.cause instanceof Error ? error.cause : error;
  return cause.message || cause.code;
}
