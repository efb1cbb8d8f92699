import { randomBytes } from 'node:crypto';
import type { Client } from './client.ts';
import { foreignHost } from './cross-site.ts';
import { type Check, type Finding, ok, warning, wrong } from './finding.ts';

/** Most wrong passwords in one run. */
const mostTries = 12;

/**
 * The first try for a new name that has to wait. Name and address together have eight free failures. The name alone has ten, so
 * a client that can forge its address gets further.
 */
const firstToWait = 9;

/** An address of a documentation network (RFC 5737), which no machine uses. */
const forgedAddress = (last: number) => `203.0.113.${last}`;

/**
 * Checks that the server slows down guessing (ASVS 6.3.1), even if each guess forges another address (ASVS 4.1.3).
 * The name is made up for the run, so no user is locked out. The address gets some failures, which the server forgets later.
 */
export async function* checkThrottle(client: Client): Check {
  const username = `selftest-${randomBytes(8).toString('hex')}@${foreignHost}`;
  for (let tries = 1; tries <= mostTries; tries += 1) {
    const answer = await client.ask('POST /api/login', {
      headers: { 'content-type': 'application/json', 'x-forwarded-for': forgedAddress(tries) },
      body: JSON.stringify({ username, password: randomBytes(8).toString('hex') }),
    });
    if (answer.status === 429) {
      yield judgeTries(tries, answer.header('x-request-id'));
      yield answer.header('retry-after') === undefined
        ? warning('A client that has to wait does not see for how long.', 'Let the proxy pass on Retry-After.')
        : ok('A client that has to wait sees for how long (Retry-After).');
      return;
    }
    if (answer.status !== 400) {
      yield wrong(`A wrong password answers ${answer.status}, not 400.`, 'See the log of Janua.');
      return;
    }
  }
  yield wrong(`A client could try ${mostTries} wrong passwords for one name without a wait.`, 'THROTTLE=on');
}

/** Reports what can be checked without a wrong password. */
export async function* leaveThrottle(client: Client): Check {
  const { header } = await client.ask('POST /api/logout', {
    headers: { origin: `https://${foreignHost}`, 'x-forwarded-for': forgedAddress(99) },
  });
  yield warning(
    'Not checked: whether the server slows down guessing, and which address it counts.',
    `--throttle sends up to ${mostTries} wrong passwords for an invented name: this address gets as many failures, and may have ` +
      `to wait for some seconds. Or, on the server: ./bin/janua explain ${header('x-request-id')} must show this machine's address, ` +
      `neither ${forgedAddress(99)} nor the proxy's.`,
  );
}

function judgeTries(tries: number, requestId: string | undefined): Finding {
  const shows = `./bin/janua explain ${requestId}`;
  if (tries > firstToWait)
    return wrong(
      `The server slows down guessing only after ${tries - 1} failures: it believes invented addresses in X-Forwarded-For.`,
      'TRUSTED_PROXIES must name only your proxies (not this machine), and the last proxy must add the address that it saw to X-Forwarded-For.',
    );
  if (tries < firstToWait)
    return warning(
      `Try ${tries} for a new name already had to wait: this address, or one that many clients share, has failed before.`,
      `Run the test again in some minutes. If the result stays, TRUSTED_PROXIES must name your proxies; on the server: ${shows}`,
    );
  return ok(
    `The server slows down guessing after ${tries - 1} failures; an invented X-Forwarded-For changes nothing. ` +
      `Only the server can show that it does not count the proxy's address: ${shows}`,
  );
}
