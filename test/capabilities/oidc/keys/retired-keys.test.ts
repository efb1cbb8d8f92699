import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { readRetiredHint } from '../../../../src/capabilities/oidc/keys/retired-keys.ts';

const [issuer, clientId] = ['https://auth.example.com', 'wiki'];
const usual = { iss: issuer, aud: clientId, sub: 'ann' };

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
} satisfies Readonly<Record<string, { privateKey: KeyObject; publicKey: KeyObject }>>;

for (const [own, { privateKey, publicKey }] of Object.entries(pairs))
  describe(`a retired key of ${own}`, () => {
    const jwk = publicKey.export({ format: 'jwk' });
    const read = (token: string) =>
      readRetiredHint(token, { issuer, clientId, findKey: async (kid) => (kid === 'retired' ? jwk : undefined) });
    /** An ID token that the key itself has signed, whatever the header says. */
    function signed(alg: unknown, claims: object = usual): string {
      const text = `${encode({ kid: 'retired', alg })}.${encode(claims)}`;
      const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
      return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
    }

    test('verifies an ID token with its own algorithm, and with no other in the header', async () => {
      assert.equal((await read(signed(own)))?.payload?.sub, 'ann');
      const others = ['RS256', 'ES256', 'PS256', 'HS256', 'none', own.toLowerCase(), '', undefined, null, [own]];
      for (const alg of others.filter((alg) => alg !== own))
        assert.equal(await read(signed(alg)), undefined, String(alg));
    });

    test('is no secret, and leaves nothing unsigned', async () => {
      const pem = publicKey.export({ format: 'pem', type: 'spki' });
      for (const alg of [own, 'HS256', 'none']) {
        const text = `${encode({ kid: 'retired', alg })}.${encode(usual)}`;
        const byPublicKey = createHmac('sha256', pem).update(text).digest('base64url');
        for (const signature of ['', byPublicKey])
          assert.equal(await read(`${text}.${signature}`), undefined, `${alg} ${signature}`);
      }
    });

    test('verifies nothing of another issuer or client', async () => {
      for (const claims of [{ iss: 'https://evil.example' }, { aud: 'other' }, { aud: [clientId] }, { sub: 7 }])
        assert.equal(await read(signed(own, { ...usual, ...claims })), undefined, JSON.stringify(claims));
    });
  });
