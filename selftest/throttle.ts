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
        ? warning('Who has to wait is not told for how long.', 'Have the proxy pass on Retry-After.')
        : ok('Who has to wait is told for how long (Retry-After).');
      return;
    }
    if (answer.status !== 400) {
      yield wrong(`A wrong password answers ${answer.status}, not 400.`, 'Look into the log of Janua.');
      return;
    }
  }
  yield wrong(`${mostTries} wrong passwords for one name, and none had to wait.`, 'THROTTLE=on');
}

/** Reports what can be checked without a wrong password. */
export async function* leaveThrottle(client: Client): Check {
  const { header } = await client.ask('POST /api/logout', {
    headers: { origin: `https://${foreignHost}`, 'x-forwarded-for': forgedAddress(99) },
  });
  yield warning(
    'Not looked at: whether guessing is slowed down, and by whose address.',
    `--throttle gives up to ${mostTries} wrong passwords for a name that is made up: this address gets as many failures, and may have ` +
      `to wait for some seconds. Or, on the server: npx janua explain ${header('x-request-id')} must show this machine's address, ` +
      `neither ${forgedAddress(99)} nor the proxy's.`,
  );
}

function judgeTries(tries: number, requestId: string | undefined): Finding {
  const shows = `npx janua explain ${requestId}`;
  if (tries > firstToWait)
    return wrong(
      `Guessing is slowed down only after ${tries - 1} failures: an address that is made up in X-Forwarded-For is believed.`,
      'TRUSTED_PROXIES must name your proxies alone (not this machine), and the last of them must add to X-Forwarded-For whom it saw.',
    );
  if (tries < firstToWait)
    return warning(
      `The try ${tries} of a new name had to wait already: this address, or one that many share, has failed before.`,
      `Look again in some minutes. If it stays so, TRUSTED_PROXIES must name your proxies; on the server: ${shows}`,
    );
  return ok(
    `Guessing is slowed down after ${tries - 1} failures; an X-Forwarded-For that is made up changes nothing. ` +
      `That it is not the proxy's address that counts can be seen on the server alone: ${shows}`,
  );
}
