import { randomBytes } from 'node:crypto';
import type { Answer, Client } from './client.ts';
import { foreignHost } from './cross-site.ts';
import { type Check, type Finding, ok, warning, wrong } from './finding.ts';

const discovery = 'GET /.well-known/openid-configuration';

/** Members of a key that would give it away (RFC 7518 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'];

/**
 * Checks what a program without a client sees of the OpenID provider: documents that clients can rely on, no private key, and no way back to
 * an address that a stranger names (RFC 9700 4.11).
 */
export async function* checkOpenId(client: Client): Check {
  const answer = await client.ask(discovery);
  if (answer.status === 404) {
    yield ok('No application signs its users in here.');
    return;
  }
  const metadata = answer.members();
  const { issuer } = metadata;
  if (issuer !== client.origin) {
    yield wrong(
      `The discovery document (${answer.status}) names the issuer ${issuer}, and clients that look at ${client.origin} refuse it.`,
      `Set PUBLIC_URL=${client.origin}, and let the proxy leave the document as it is.`,
    );
    return;
  }
  yield judgeDocument(answer, client.origin);
  const pathOf = (member: string) => URL.parse(String(metadata[member]), client.origin)?.pathname ?? '/';
  yield judgeKeys(await client.ask(`GET ${pathOf('jwks_uri')}`));
  yield await tryMadeUpClient(client, pathOf('authorization_endpoint'));
  const forged = await client.ask(discovery, { headers: { host: foreignHost }, mayBeTheProxys: true });
  yield forged.body.includes(foreignHost)
    ? wrong('The discovery document follows a forged Host.', 'Let the proxy cache nothing, and set PUBLIC_URL.')
    : ok('The discovery document follows no forged Host.');
}

function judgeDocument({ members }: Answer, origin: string): Finding {
  const metadata = members();
  const isOnly = (member: string, value: string) => JSON.stringify(metadata[member]) === JSON.stringify([value]);
  const faults = [
    !isOnly('code_challenge_methods_supported', 'S256') && 'PKCE with other methods than S256',
    !isOnly('response_types_supported', 'code') && 'other flows than that with a code',
    metadata.authorization_response_iss_parameter_supported !== true && 'answers without iss (RFC 9207)',
  ].filter((fault) => fault !== false);
  return faults.length === 0
    ? ok(`Applications find ${origin} as their issuer, with codes, S256 and iss alone.`)
    : wrong(`The discovery document offers ${faults.join(', ')}.`, 'Let the proxy pass it on from Janua, unchanged.');
}

function judgeKeys({ status, members }: Answer): Finding {
  const { keys } = members();
  const found = (Array.isArray(keys) ? keys : []).map((key: unknown) => ({ ...Object(key) }));
  if (found.some((key) => privateMembers.some((member) => member in key)))
    return wrong('The keys are shown with their private part.', 'Replace them: ./bin/janua keys rotate signing');
  const missing = ['ES256', 'RS256'].filter((algorithm) => !found.some(({ alg }) => alg === algorithm));
  return missing.length === 0
    ? ok('The keys are those of ES256 and RS256, without their private part.')
    : warning(`Keys of ${missing.join(' and ')} are missing (${status}).`, 'Let the proxy pass /oidc on to Janua.');
}

/** With and without PKCE, an unknown client gets a page, and its address no answer. */
async function tryMadeUpClient(client: Client, path: string): Promise<Finding> {
  const query = {
    client_id: randomBytes(16).toString('base64url'),
    redirect_uri: `https://${foreignHost}/callback`,
    response_type: 'code',
    scope: 'openid',
  };
  const challenge = { code_challenge: randomBytes(32).toString('base64url'), code_challenge_method: 'S256' };
  const headers = { accept: 'text/html' };
  const answers: Answer[] = [];
  for (const fields of [query, { ...query, ...challenge }])
    answers.push(await client.ask(`GET ${path}?${new URLSearchParams(fields)}`, { headers }));
  return answers.every(({ status, header }) => status === 400 && header('location') === undefined)
    ? ok('A made-up client gets a page, and its address no answer.')
    : wrong(
        `A made-up client gets ${answers.map(({ status, header }) => `${status} to ${header('location') ?? 'nowhere'}`).join(', ')}.`,
        `Let the proxy pass ${path} on to Janua, with its query string unchanged, and leave statuses as they are.`,
      );
}
