import type { Check, Finding } from '../../selftest/finding.ts';
import { findPasskeyDomain, isDomain, isHttps, isLoopbackHost } from '../ground/config/origin.ts';
import type { Settings } from '../ground/config/settings.ts';
import { ok, warning } from './finding.ts';

/** Checks `PUBLIC_URL`. It decides the origin of our pages, the domain of passkeys, and whether passwords are encrypted on their way. */
export async function* checkPublicUrl(settings: Settings): Check {
  const { PUBLIC_URL, PORT } = settings;
  yield ok('The server takes logins from pages of {origin}.', { origin: PUBLIC_URL ?? `http://localhost:${PORT}` });
  yield passkeyFinding(settings);
  if (isHttps(settings)) return;
  const fix = 'PUBLIC_URL=https://auth.example.com, with a TLS proxy that passes requests on to Janua.';
  yield PUBLIC_URL === undefined || isLoopbackHost(new URL(PUBLIC_URL).hostname)
    ? warning('Plain http on this machine alone is for development.', fix)
    : warning('Over plain http, passwords and cookies cross the network in the clear.', fix);
}

function passkeyFinding(settings: Settings): Finding {
  const { PUBLIC_URL = 'http://localhost', SECOND_FACTOR } = settings;
  const domain = findPasskeyDomain(settings);
  if (domain !== undefined)
    return ok('Passkeys belong to {domain}. With another domain, all of them would be lost.', { domain });
  if (SECOND_FACTOR === 'off') return ok('Passkeys are off, because SECOND_FACTOR is.');
  if (isDomain(new URL(PUBLIC_URL).hostname))
    return ok('Passkeys are off, because browsers do not allow them over plain http.');
  return warning(
    'Passkeys are off, because the host of PUBLIC_URL is an address.',
    'To offer them: a PUBLIC_URL with a name, such as https://auth.example.com.',
  );
}
