import { printable } from '../../ground/text/printable.ts';
import { findRedirectFault } from './addresses.ts';
import { maxNameLength } from './client-rules.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import { codeGrant, isDocument, refreshGrant } from './provider-client.ts';
import { signatures } from './signing-keys.ts';

/** Bytes of the longest document of a client (draft-ietf-oauth-client-id-metadata-document 6.6). */
export const longestDocument = 5 * 1024;

/** What counts of a document. What is for other servers is left out, because the library refuses what it does not know, and secrets. */
const kept = [
  'client_id',
  'client_secret',
  'client_secret_expires_at',
  'jwks',
  'jwks_uri',
  'token_endpoint_auth_signing_alg',
];

/** No device flow: a user who types a code sees no address that the answer goes to. */
const ourGrants: ReadonlySet<unknown> = new Set([codeGrant, refreshGrant]);

type Document = Readonly<Record<string, unknown>>;

const isRedirect = (address: unknown): address is string =>
  typeof address === 'string' && findRedirectFault(address, { isPublic: true }) === undefined;

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Claude's document names a grant type that we do not have, and others name members that the library refuses. */
function adjust(document: Document): Document {
  const { id_token_signed_response_alg: named } = document;
  const redirectUris = listOf(document.redirect_uris).filter(isRedirect);
  const grants = listOf(document.grant_types).filter((type) => ourGrants.has(type));
  const name =
    typeof document.client_name === 'string' ? printable(document.client_name.trim().slice(0, maxNameLength)) : '';
  return {
    ...Object.fromEntries(Object.entries(document).filter(([field]) => kept.includes(field))),
    client_name: name || undefined,
    // A client that names an algorithm refuses tokens with another one. Without it, the default of OpenID Connect stays: RS256.
    id_token_signed_response_alg: signatures.find((known) => known === named),
    redirect_uris: redirectUris,
    grant_types: grants.length > 0 ? grants : [codeGrant],
    response_types: ['code'],
    token_endpoint_auth_method: findAuthentication(document),
  };
}

/**
 * A document may list several methods, of which the server chooses one (OpenID Connect RP Metadata Choices). ChatGPT's lists `none` too,
 * and then signs all the same.
 */
function findAuthentication(document: Document): unknown {
  const { token_endpoint_auth_method: one, token_endpoint_auth_methods_supported: several } = document;
  return one ?? ['private_key_jwt', 'none'].find((method) => listOf(several).includes(method)) ?? 'none';
}

/** How long an address is left alone after it had no document, in milliseconds, and how many are remembered. */
const pause = 30_000;
const mostRemembered = 1000;

/** Reads the documents by which applications introduce themselves, and leaves other answers as they are. */
export function createDocumentFetch(fetch: GuardedFetch, now: () => number): GuardedFetch {
  const failed = new Map<string, { readonly until: number; readonly error: unknown }>();

  async function get(address: string, init: RequestInit | undefined): Promise<Response> {
    const response = await fetch(address, init);
    if (response.status !== 200) throw new Error(`the answer is ${response.status}`);
    const text = await response.text();
    const headers = new Headers(response.headers);
    headers.delete('content-length');
    const document = readDocument(text);
    if (document === undefined) return new Response(text, { headers });
    if (Buffer.byteLength(text) > longestDocument)
      throw new Error(`the document has more than ${longestDocument} bytes`);
    return new Response(JSON.stringify(adjust(document)), { headers });
  }

  return async (address, init) => {
    if ((init?.method ?? 'GET') !== 'GET') return fetch(address, init);
    const key = String(address);
    const known = failed.get(key);
    if (known !== undefined && now() < known.until) throw known.error;
    try {
      return await get(key, init);
    } catch (error) {
      const [oldest = ''] = failed.keys();
      if (failed.size >= mostRemembered) failed.delete(oldest);
      failed.set(key, { until: now() + pause, error });
      throw error;
    }
  };
}

function readDocument(text: string): Document | undefined {
  try {
    const document: unknown = JSON.parse(text);
    const isObject = typeof document === 'object' && document !== null;
    return isObject && 'client_id' in document && isDocument(String(document.client_id)) ? { ...document } : undefined;
  } catch {
    return undefined;
  }
}
