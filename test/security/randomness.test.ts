import assert from 'node:assert/strict';
import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { after, before, describe, mock, test } from 'node:test';
import { createReturns } from '../../src/capabilities/forward-auth/returns.ts';
import { createChallenges } from '../../src/capabilities/second-factor/challenges.ts';
import { createRecoveryCodes } from '../../src/capabilities/second-factor/recovery-codes.ts';
import { createTotp } from '../../src/capabilities/second-factor/totp.ts';
import { createRoundTrips } from '../../src/capabilities/upstream/round-trips.ts';
import { createKnownBrowsers } from '../../src/core/access/known-browsers.ts';
import { createSecret, createSessionId } from '../../src/core/sessions/credential.ts';
import { createStamp } from '../../src/core/users/account.ts';
import { loadKey, replaceKey } from '../../src/ground/database/keys.ts';
import { createCipher } from '../../src/ground/encryption/cipher.ts';
import { createMemoryKeys } from '../../src/ground/encryption/keys.ts';
import { browserCookie } from '../../src/web/cookies.ts';
import { unlocked } from '../core/users/held.ts';
import { openMigrated, type TestDatabase } from '../ground/database/open.ts';

const owner = { id: 'ann', username: 'ann@example.com' };
const now = () => 0;

let opened: TestDatabase;
/** Bytes that the system's generator was asked for. A hash of few bytes looks like many. */
let asked = 0;
before(async () => {
  opened = await openMigrated('SQLite');
  // The only other sources of a secret than the bytes of the system's generator. They now repeat themselves.
  mock.method(Math, 'random', () => 0.5);
  mock.method(Date, 'now', now);
  // A UUID has only 122 random bits.
  for (const source of [nodeCrypto, globalThis.crypto])
    mock.method(source, 'randomUUID', () => '00000000-0000-4000-8000-000000000000');
  const { randomBytes } = nodeCrypto;
  mock.method(nodeCrypto, 'randomBytes', (size: number) => {
    asked += size;
    return randomBytes(size);
  });
  syncBuiltinESMExports();
});
after(async () => {
  mock.restoreAll();
  syncBuiltinESMExports();
  await opened[Symbol.asyncDispose]();
});

/** Signs what is made. A signature adds no random bits. */
const key = Buffer.alloc(32);

const textIn = (shape: RegExp, text = '') => shape.exec(text)?.[1] ?? assert.fail(text);

const upstream = { id: 'github', kind: 'github', issuer: 'https://github.com', name: 'GitHub', clientId: 'janua' };
const roundTrips = createRoundTrips(
  {
    upstreams: [{ ...upstream, clientSecret: 'x' }],
    key,
    now,
    https: true,
    baseUrl: () => 'https://example.com',
    overrides: {},
  } as never,
  () => assert.fail(),
);

/** Each makes one secret. */
const makers: Record<string, () => string | Promise<string>> = {
  'a secret of a session, a link, a token or a client': createSecret,
  'the id of a session': createSessionId,
  'the stamp of an account': createStamp,
  // Its first 16 bytes. The time and a signature follow.
  'a challenge of a passkey': () =>
    createChallenges(key, { markUsed: async () => true }, now)
      .create({ purpose: 'sign-in', cookie: 'x' })
      .slice(0, 22),
  'the state of a sign-in with another provider': async () => {
    const { url } = await roundTrips.begin({ upstream: 'github' }, { headers: {}, caller: undefined as never });
    return new URL(url).searchParams.get('state') ?? '';
  },
  'what a browser keeps until it returns to another host': () => {
    const origin = 'https://app.example.com';
    const begun = createReturns(new Set([origin]), () => key).begin(origin, '/', undefined);
    return textIn(/janua-return=([^;]+)/, begun?.cookie);
  },
  'the identifier of a known browser': () =>
    textIn(/browser=([^.;]+)/, createKnownBrowsers(browserCookie(true), key).cookie('x', undefined)),
  'an encryption key': () => {
    const keys = createMemoryKeys();
    keys.create();
    return keys
      .read()
      .map((made) => made.toString('base64url'))
      .join();
  },
  'a key in the database': async () => {
    await replaceKey(opened.database, 'ceremonies', async () => {});
    return (await loadKey(opened.database, 'ceremonies')).toString('base64url');
  },
  'a secret of an authenticator app': async () => {
    const keys = createMemoryKeys();
    keys.create();
    const cipher = createCipher(keys, { error: () => assert.fail() });
    const totp = createTotp({ database: opened.database, cipher, appName: 'Example', now });
    return (await totp.begin(owner, 'ann@example.com')).secret;
  },
  'a recovery code': async () => {
    const codes = await createRecoveryCodes(opened.database).replace(unlocked(opened.database, owner));
    return codes[0] ?? '';
  },
};

/** Recovery codes are typed by hand (ASVS 6.5.2 asks for 112 bits). */
const leastBits = (what: string) => (what === 'a recovery code' ? 120 : 128);

/** How many bits the characters can hold that differ between texts. */
function countBits(texts: readonly string[]): number {
  const positions = Array.from(texts[0] ?? '', (_, index) => new Set(texts.map((text) => text[index])));
  const varied = positions.filter(({ size }) => size > 1);
  const alphabet = new Set(varied.flatMap((characters) => [...characters]));
  return varied.length * Math.ceil(Math.log2(alphabet.size));
}

describe('neither the clock nor Math.random nor a UUID decides, but 128 random bits', () => {
  for (const [what, make] of Object.entries(makers))
    test(what, async () => {
      const made: string[] = [];
      asked = 0;
      for (let count = 0; count < 20; count += 1) made.push(await make());
      assert.equal(new Set(made).size, 20);
      const askedBits = (asked * 8) / 20;
      assert.ok(askedBits >= leastBits(what), `${askedBits} bits of the generator`);
      const bits = countBits(made);
      assert.ok(bits >= leastBits(what), `${bits} bits`);
    });
});

test('ten thousand secrets that are made at once are all different', () => {
  assert.equal(new Set(Array.from({ length: 10_000 }, createSecret)).size, 10_000);
});
