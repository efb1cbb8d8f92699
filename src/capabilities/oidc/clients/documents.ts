import { Unavailable } from '../../../ground/faults/unavailable.ts';
import { isPlainLine } from '../../../ground/text/printable.ts';
import { clientKeys, isUsableKey } from '../keys/foreign-keys.ts';
import { signatures } from '../keys/signing-keys.ts';
import { maxNameLength } from './client-rules.ts';
import type { Cause, GuardedFetch } from './guarded-fetch.ts';
import { codeGrant, isDocumentClient, refreshGrant } from './library-client.ts';
import { createRememberedAnswers, type FetchedAnswer } from './remembered-answers.ts';
import { findRedirectFault, isBackchannelUri } from './uri-rules.ts';

/** Bytes of the longest metadata document of a client (draft-ietf-oauth-client-id-metadata-document 6.6). */
export const longestDocument = 5 * 1024;

/**
 * Members of a document that Janua passes on unchanged. Members for other servers are left out, because oidc-provider refuses unknown ones.
 * Secrets are passed on, because oidc-provider then refuses the document.
 */
const kept = ['client_id', 'client_secret', 'client_secret_expires_at', 'jwks', 'token_endpoint_auth_signing_alg'];

/**
 * The grant types that a document may have. The device flow is missing, because its page can show no redirect address by which the user
 * could recognize the application.
 */
const ourGrants: ReadonlySet<unknown> = new Set([codeGrant, refreshGrant]);

type Document = Readonly<Record<string, unknown>>;

const isRedirect = (address: unknown): address is string =>
  typeof address === 'string' && findRedirectFault(address, { isPublic: true }) === undefined;

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Returns a key set with its first usable keys. Any other value stays as it is, because the library refuses it. */
function limitKeys(set: unknown): unknown {
  const { keys } = Object(set) as Document;
  return Array.isArray(keys) ? { keys: keys.filter(isUsableKey).slice(0, clientKeys.most) } : set;
}

/**
 * Adjusts a document to oidc-provider. Claude's document names a grant type that Janua does not have, and others have members that the
 * library refuses.
 */
function adjust(document: Document): Document {
  const { id_token_signed_response_alg: named } = document;
  const redirectUris = listOf(document.redirect_uris).filter(isRedirect);
  const grants = listOf(document.grant_types).filter((type) => ourGrants.has(type));
  const { client_name: sent } = document;
  const name = typeof sent === 'string' ? [...sent.trim()].slice(0, maxNameLength).join('') : '';
  return {
    ...Object.fromEntries(Object.entries(document).filter(([field]) => kept.includes(field))),
    jwks: limitKeys(document.jwks),
    // The library parses `jwks_uri` at each request, in a time that grows with the square of the host's length. `isBackchannelUri` refuses
    // more than 255 characters.
    jwks_uri: isBackchannelUri(String(document.jwks_uri), []) ? document.jwks_uri : undefined,
    // Without a name, pages show the host.
    client_name: name !== '' && isPlainLine(name) ? name : undefined,
    // A client that names an algorithm refuses tokens with another one. Without it, the default of OpenID Connect stays: RS256.
    id_token_signed_response_alg: signatures.find((known) => known === named),
    redirect_uris: redirectUris,
    grant_types: grants.length > 0 ? grants : [codeGrant],
    response_types: ['code'],
    token_endpoint_auth_method: findAuthentication(document),
  };
}

/**
 * Chooses the authentication method of a client. A document may list several methods, of which the server chooses one (OpenID Connect RP
 * Metadata Choices). ChatGPT's document also lists `none`, and ChatGPT signs all the same.
 */
function findAuthentication(document: Document): unknown {
  const { token_endpoint_auth_method: one, token_endpoint_auth_methods_supported: several } = document;
  return one ?? ['private_key_jwt', 'none'].find((method) => listOf(several).includes(method)) ?? 'none';
}

/** The headers of a response that oidc-provider needs. It caches a document for as long as they say. */
const keptHeaders = ['content-type', 'cache-control', 'expires'];

/** Fetches an address for oidc-provider. */
export type FetchFor = (address: string | URL, init: RequestInit | undefined, cause: Cause) => Promise<Response>;

/**
 * Fetches metadata documents and key sets, and adjusts them to oidc-provider. Remembers the results for a moment, failures included. It
 * does not remember that Janua itself could not make the connection, because the application is not at fault. A method other than GET
 * passes through.
 */
export function createDocumentFetch(fetch: GuardedFetch, now: () => number): FetchFor {
  const remembered = createRememberedAnswers(now);

  async function read(call: () => Promise<Response>): Promise<FetchedAnswer> {
    try {
      const response = await call();
      if (response.status !== 200) throw new Error(`the answer is ${response.status}`);
      const text = await response.text();
      const headers = [...response.headers].filter(([name]) => keptHeaders.includes(name));
      const value = parse(text);
      const document = readDocument(value);
      if (document === undefined) return { text: JSON.stringify(limitKeys(value)) ?? text, headers };
      if (Buffer.byteLength(text) > longestDocument)
        throw new Error(`the document has more than ${longestDocument} bytes`);
      return { text: JSON.stringify(adjust(document)), headers };
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      return { error };
    }
  }

  return async (input, init, cause) => {
    const address = String(input);
    if ((init?.method ?? 'GET') !== 'GET') return fetch(address, init, cause);
    const known = remembered.find(address);
    if (known !== undefined) return responseOf(known);
    const within = async (call: () => Promise<Response>) => {
      // Another request may have fetched the address while this one waited for a free connection.
      const answered = remembered.find(address);
      if (answered !== undefined) return responseOf(answered);
      const answer = await read(call);
      remembered.keep(address, cause.party, answer);
      return responseOf(answer);
    };
    return fetch(address, init, { ...cause, within });
  };
}

function responseOf(answer: FetchedAnswer): Response {
  if ('error' in answer) throw answer.error;
  return new Response(answer.text, { headers: answer.headers });
}

/** Undefined if a text is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readDocument(value: unknown): Document | undefined {
  if (typeof value !== 'object' || value === null || !('client_id' in value)) return undefined;
  // The id is not converted to a text, because `String` takes quadratic time for deeply nested lists.
  return typeof value.client_id === 'string' && isDocumentClient(value.client_id) ? { ...value } : undefined;
}
