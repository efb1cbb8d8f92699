import { generateKeyPairSync, type KeyObject, randomUUID, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWTPayload, SignJWT } from 'jose';

export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly jwk: webcrypto.JsonWebKey & { readonly kid: string };
}

const pairs = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

export function createIssuerKey(kid: string, alg: keyof typeof pairs = 'ES256'): IssuerKey {
  const { publicKey, privateKey } = pairs[alg]();
  return { kid, alg, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } };
}

/** Signs as GitHub does: a header with the id of the key, and the claims. */
export const signWith = ({ kid, alg, privateKey }: IssuerKey, claims: JWTPayload) =>
  new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(privateKey);

/** An issuer like that of GitHub Actions, which publishes its keys. */
export interface Issuer extends AsyncDisposable {
  readonly address: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  /** The keys that it publishes now. */
  keys: readonly IssuerKey[];
  /** The issuer that its document names. */
  named: string;
  /** Called before it answers. */
  wait: () => Promise<void>;
  /** Signs a token of a job with its first key, or another one. */
  sign(claims?: JWTPayload, key?: IssuerKey): Promise<string>;
}

/** @param now milliseconds since 1970 */
export async function startIssuer(audience: string, now: () => number): Promise<Issuer> {
  const server = createServer(async (request, response) => {
    const { url = '' } = request;
    issuer.asked.push(url);
    try {
      await issuer.wait();
    } catch {
      request.socket.destroy();
      return;
    }
    const body = url.startsWith('/.well-known')
      ? { issuer: issuer.named, jwks_uri: `${address}/jwks` }
      : { keys: issuer.keys.map(({ jwk }) => jwk) };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Issuer = {
    address,
    asked: [],
    keys: [createIssuerKey('one', 'RS256')],
    named: address,
    wait: async () => {},
    sign(claims, key = issuer.keys[0] ?? createIssuerKey('none')) {
      const time = Math.floor(now() / 1000);
      return signWith(key, {
        ...{ iss: address, aud: audience, jti: randomUUID(), iat: time, nbf: time, exp: time + 300 },
        ...{ sub: 'repo:example/api:ref:refs/heads/main', ref: 'refs/heads/main' },
        ...{ repository: 'example/api', repository_id: '42', run_attempt: 1 },
        ...claims,
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}
