import { lookup } from 'node:dns/promises';
import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';
import { hasKeys } from '../capabilities/oidc/clients/client-keys.ts';
import { type Client, createClients } from '../capabilities/oidc/clients/clients.ts';
import { createIsGranted } from '../capabilities/oidc/machines/find-machine.ts';
import { parseMapping } from '../core/users/source/mapping.ts';
import { isDomain, isLoopbackHost } from '../ground/config/origin.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { inTime } from '../ground/faults/in-time.ts';
import { openDirectory } from './administrators.ts';
import { hasApplications } from './signing-keys.ts';

/** A secret is reported two weeks before it expires. */
const noticeMilliseconds = 14 * 86_400_000;

/** Milliseconds that a host may take to answer. */
const patience = 3000;

/** Reports faults that keep applications from signing their users in here. Finds nothing if there are no applications. */
export async function* checkOpenId(opened: OpenDatabase, settings: Settings): Check {
  const { PUBLIC_URL } = settings;
  if (!(await hasApplications(opened.database))) return;
  yield PUBLIC_URL === undefined
    ? wrong(
        'Applications know this server as localhost, because PUBLIC_URL is not set.',
        'Set PUBLIC_URL to the address that browsers and applications use.',
      )
    : await findIssuer(PUBLIC_URL);
  const clients = await createClients(opened, Date.now).list();
  yield* checkAddresses(clients);
  for (const { id, name } of clients.filter(({ pkce }) => pkce === 'optional'))
    yield warning(
      `${name} may sign users in with neither PKCE nor a nonce.`,
      `Switch one of them on in the application. Then: ./bin/janua clients set ${id} --pkce nonce`,
    );
  yield* checkSecrets(clients, Date.now());
  yield* checkPrograms(opened, clients, settings);
}

/** Lists the programs that act as themselves, and reports those whose grant has ended. */
async function* checkPrograms(opened: OpenDatabase, clients: readonly Client[], settings: Settings): Check {
  const programs = clients.flatMap(({ id, name, machine, trusts, secrets = [] }) =>
    machine === undefined ? [] : [{ id, name, machine, trusts, secrets }],
  );
  if (programs.length === 0) return;
  const { users } = await openDirectory(opened, parseMapping(settings.USERS_TABLE, settings.USERS_COLUMNS), settings);
  const isGranted = createIsGranted(users.findById);
  for (const { id, name, machine, trusts, secrets } of programs) {
    const latest = Math.max(0, ...secrets.map(({ lastUsedAt = 0 }) => lastUsedAt));
    const used = latest === 0 ? 'It was not used yet.' : `It was used last on ${dateOf(latest)}.`;
    const issuers = [...new Set(trusts.map(({ issuer }) => issuer))].join(', ');
    const proof = issuers === '' ? used : `Tokens of ${issuers} prove it.`;
    const rights = [...machine.scopes, ...Object.keys(machine.may)].join(', ');
    const within = machine.within.length === 0 ? '' : ` within ${machine.within.join(', ')}`;
    yield (await isGranted(machine))
      ? ok(`The program ${name} may use ${rights}${within}. ${proof}`)
      : warning(
          `The program ${name} can do nothing, because the administrator who granted its rights is none any more.`,
          `Grant them again: ./bin/janua clients set ${id} --scope … --within …. Or remove it: ./bin/janua clients remove ${id}`,
        );
    const granted = await Promise.all(trusts.map(isGranted));
    if (granted.includes(false))
      yield warning(
        `The program ${name} gets no token by some workloads, because the administrator who granted that is none any more.`,
        `Grant it again: ./bin/janua clients set ${id} --trust …. Repeat --trust for every workload, because the list is replaced.`,
      );
  }
}

/** Reports secrets that have expired, or soon will. */
async function* checkSecrets(clients: readonly Client[], now: number): Check {
  // A client with keys proves itself by no secret.
  for (const { id, name, secrets = [] } of clients.filter((client) => !hasKeys(client)))
    for (const { name: secret, expiresAt = Number.POSITIVE_INFINITY } of secrets)
      if (expiresAt - now < noticeMilliseconds)
        yield warning(
          `The secret ${secret} of ${name} ${expiresAt > now ? 'expires' : 'has expired'} on ${dateOf(expiresAt)}.`,
          `If it is still used: ./bin/janua clients secret add ${id} --name NAME. Then: ./bin/janua clients secret remove ${id} --name '${secret}'`,
        );
}

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

async function findIssuer(url: string): Promise<Finding> {
  const issuer = new URL(url).origin;
  try {
    const signal = AbortSignal.timeout(patience);
    const answer = await fetch(`${issuer}/.well-known/openid-configuration`, { redirect: 'error', signal });
    const document: unknown = answer.status === 200 ? await answer.json() : undefined;
    const found = typeof document === 'object' && document !== null && 'issuer' in document ? document.issuer : '';
    if (found === issuer) return ok(`Applications find ${issuer} as their issuer.`);
    return wrong(
      `Another program, or Janua with another PUBLIC_URL, answers at ${issuer} (${answer.status}).`,
      'Let the proxy pass /.well-known and /oidc on to this server. Restart it after PUBLIC_URL has changed.',
    );
  } catch {
    return warning(
      `From this machine, ${issuer} cannot be reached.`,
      'Start the server. If applications run on this machine too, let its name and certificate work here.',
    );
  }
}

/** Checks the redirect addresses, to which browsers carry authorization codes. */
async function* checkAddresses(clients: readonly Client[]): Check {
  const addresses = clients.flatMap(({ id, name, redirectUris }) =>
    redirectUris.flatMap((address) => {
      const { protocol, hostname } = new URL(address);
      return /^https?:$/.test(protocol) && !isLoopbackHost(hostname) ? [{ id, name, protocol, hostname }] : [];
    }),
  );
  const known = new Map(
    await Promise.all(
      [...new Set(addresses.map(({ hostname }) => hostname))].map(async (host) => [host, await isKnown(host)] as const),
    ),
  );
  for (const { id, name, protocol, hostname } of addresses) {
    const fix = `Correct it: ./bin/janua clients set ${id} --redirect-uri URL. Repeat --redirect-uri for every address, because the list is replaced.`;
    if (protocol === 'http:') yield warning(`${name} gets its codes over plain http, at ${hostname}.`, fix);
    if (known.get(hostname) === false)
      yield warning(`No host ${hostname} is known here, to which ${name} sends its users back.`, fix);
  }
}

/** @param host a name, or an address, which needs no look-up */
async function isKnown(host: string): Promise<boolean> {
  if (!isDomain(host)) return true;
  return inTime(
    lookup(host).then(() => true),
    patience,
  ).catch(() => false);
}
