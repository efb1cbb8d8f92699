import type { KoaContextWithOIDC } from 'oidc-provider';
import { isDocumentClient } from '../clients/library-client.ts';
import { readToken } from '../keys/token-parts.ts';
import { machineGrant } from '../machines/machine.ts';
import type { Trust } from '../machines/trust.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';

/** A client as the library knows it, with the trusts that our metadata adds. */
export interface TrustingClient {
  readonly clientId: string;
  readonly trusts?: readonly Trust[];
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

type Body = Readonly<Record<string, unknown>>;

/**
 * Takes a token of another issuer out of the body of a request, and remembers it with the request. The library would refuse the token,
 * because its subject is not the client (RFC 7523 3). For the library the token becomes a secret: it then finds the client, and has the
 * "secret" compared, which `requireWorkload` does. The library judges an assertion
 * that the client has made itself.
 */
export function takeAssertion({ state }: KoaContextWithOIDC, body: Body): Body {
  const { client_assertion, client_assertion_type, ...others } = body;
  const { client_id, client_secret } = others;
  const isOurs = typeof client_id === 'string' && !isDocumentClient(client_id);
  if (!isOurs || typeof client_assertion !== 'string' || client_assertion_type !== assertionType) return body;
  if (readToken(client_assertion).payload?.iss === client_id) return body;
  state.assertion = client_assertion;
  // The library refuses two proofs in one request as a repeated field.
  return {
    ...others,
    client_secret: client_secret === undefined ? client_assertion : [client_secret, client_assertion],
  };
}

/**
 * Demands that the token of another issuer proves the client. Every reason is hidden from the client, and recorded for operators.
 * @throws {errors.InvalidClientAuth} {errors.TemporarilyUnavailable} {Unavailable}
 */
export async function requireWorkload(
  { state, oidc }: KoaContextWithOIDC,
  { clientId, trusts = [] }: TrustingClient,
  { proveWorkload }: Pick<ProviderOptions, 'proveWorkload'>,
): Promise<true> {
  state.reason = 'request';
  // Requests to other endpoints than that of tokens have no grant type.
  if (oidc.params?.grant_type !== machineGrant)
    throw new errors.InvalidClientAuth(`a token of another issuer proves a client for ${machineGrant} alone`);
  const proof = await proveWorkload(String(state.assertion), { clientId, trusts });
  state.reason = proof.state === 'proved' ? undefined : proof.reason;
  if (proof.state === 'refused') throw new errors.InvalidClientAuth(proof.detail);
  if (proof.state === 'unknown') throw new errors.TemporarilyUnavailable('try again in a minute', proof.detail);
  return true;
}
