import { randomBytes } from 'node:crypto';
import type { Client } from './client.ts';
import { sessionCookieOf } from './cookies.ts';
import { type Check, ok, warning, wrong } from './finding.ts';

/**
 * Checks what a client without an account sees of second factors: a made-up login that waits opens nothing, and the domain of passkeys is
 * one that browsers accept here (WebAuthn 5.1.4).
 */
export async function* checkSecondFactors(client: Client): Check {
  const body = new URLSearchParams({ mfa_token: randomBytes(32).toString('base64url'), code: '123456' }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const step = await client.ask('POST /api/second-factor', { headers, body });
  if (step.status === 404) {
    yield ok('Second factors are off.');
    return;
  }
  yield step.status === 400 && step.members().error === 'invalid_grant' && sessionCookieOf(step) === undefined
    ? ok('A made-up login that waits for a second factor is refused.')
    : wrong(
        `A made-up login that waits for a second factor gets ${step.status}, or a session.`,
        'Let the proxy leave statuses, bodies and cookies as they are.',
      );
  const options = await client.ask('POST /api/passkey/options', { headers });
  if (options.status === 404) {
    yield warning('Users cannot use passkeys.', 'Give PUBLIC_URL a host name and https.');
    return;
  }
  const { hostname } = new URL(client.origin);
  const domain = String(options.members().rpId);
  yield hostname === domain || hostname.endsWith(`.${domain}`)
    ? ok(`Passkeys belong to ${domain}.`)
    : wrong(
        `Passkeys belong to ${domain}, and browsers refuse them at ${hostname}.`,
        'Set PUBLIC_URL or PASSKEY_DOMAIN to fit.',
      );
}
