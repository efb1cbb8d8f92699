import { type Check, ok, warning } from '../../selftest/finding.ts';
import { isHttps, isLoopbackHost, originsOf, publicOriginsOf } from '../config/origin.ts';
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
  if (https) return;
  const fix = 'PUBLIC_URL=https://auth.example.com, with a TLS proxy that passes requests on to Janua.';
  yield PUBLIC_URL === undefined || isLoopbackHost(new URL(PUBLIC_URL).hostname)
    ? warning('Plain http on this machine alone is for development.', fix)
    : warning('Over plain http, passwords and cookies cross the network in the clear.', fix);
}

function ownOrigins(settings: Settings): string {
  const origins = publicOriginsOf(settings);
  if (origins.size > 0) return [...origins].join(', ');
  return 'http://localhost, http://127.0.0.1, http://[::1], at the port that it gets at its start';
}
