import { type Check, type Finding, ok, warning } from '../../selftest/finding.ts';
import { findPasskeyDomain, isDomain, isHttps, isLoopbackHost, originsOf, publicOriginsOf } from '../config/origin.ts';
import type { Settings } from '../config/settings.ts';

/**
 * Reports what `PUBLIC_URL` decides: the origin of our pages, the kind of cookie, and whether browsers must use HTTPS.
 * @param hsts the value of `Strict-Transport-Security`; undefined if the header is not sent
 */
export async function* checkPublicUrl(settings: Settings, sessionCookie: string, hsts: string | undefined): Check {
  const { PUBLIC_URL, CORS_ORIGINS } = settings;
  const https = isHttps(settings);
  const others = CORS_ORIGINS.length === 0 ? '' : `, and scripts of ${[...originsOf(CORS_ORIGINS)].join(', ')}`;
  yield ok(`The server takes logins from pages of ${ownOrigins(settings)}${others}.`);
  yield ok(
    `The session cookie is ${sessionCookie}, ${https ? 'with' : 'without'} Secure; ` +
      `HSTS is ${hsts === undefined ? 'not sent' : `sent (${hsts})`}.`,
  );
  yield passkeyFinding(settings);
  if (https) return;
  const fix = 'PUBLIC_URL=https://auth.example.com, with a TLS proxy that passes requests on to Janua.';
  yield PUBLIC_URL === undefined || isLoopbackHost(new URL(PUBLIC_URL).hostname)
    ? warning('Plain http on this machine alone is for development.', fix)
    : warning('Over plain http, passwords and cookies cross the network in the clear.', fix);
}

function passkeyFinding(settings: Settings): Finding {
  const { PUBLIC_URL = 'http://localhost', SECOND_FACTOR } = settings;
  const domain = findPasskeyDomain(settings);
  if (domain !== undefined) return ok(`Passkeys belong to ${domain}. With another domain, all of them would be lost.`);
  if (SECOND_FACTOR === 'off') return ok('Passkeys are off, because SECOND_FACTOR is.');
  if (isDomain(new URL(PUBLIC_URL).hostname))
    return ok('Passkeys are off, because browsers do not allow them over plain http.');
  const message = 'Passkeys are off, because the host of PUBLIC_URL is an address.';
  return warning(message, 'To offer them: a PUBLIC_URL with a name, such as https://auth.example.com.');
}

function ownOrigins(settings: Settings): string {
  const origins = publicOriginsOf(settings);
  if (origins.size > 0) return [...origins].join(', ');
  return 'http://localhost, http://127.0.0.1, http://[::1], at the port that it gets at its start';
}
