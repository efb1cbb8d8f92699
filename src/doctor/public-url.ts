import { type Check, ok, warning } from '../../selftest/finding.ts';
import { isLoopbackHost, originsOf, publicOriginsOf } from '../config/origin.ts';
import type { Settings } from '../config/settings.ts';

/** Values that the HTTP layer sends to browsers. */
export interface Served {
  readonly sessionCookie: string;
  /** The value of `Strict-Transport-Security`; undefined if the header is not sent. */
  readonly hsts: string | undefined;
}

/** Reports what `PUBLIC_URL` decides: the origin of our pages, the kind of cookie, and whether browsers must use HTTPS. */
export async function* checkPublicUrl(settings: Settings, describeServed: (https: boolean) => Served): Check {
  const { PUBLIC_URL, CORS_ORIGINS } = settings;
  const https = PUBLIC_URL?.startsWith('https:') ?? false;
  const { sessionCookie, hsts } = describeServed(https);
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
