import assert from 'node:assert/strict';
import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { after, before, describe, mock, test } from 'node:test';
import { createChallenges } from '../../src/capabilities/second-factor/challenges.ts';
import { createRecoveryCodes } from '../../src/capabilities/second-factor/recovery-codes.ts';
import { createTotp } from '../../src/capabilities/second-factor/totp.ts';
import { createSecret, createSessionId } from '../../src/core/sessions/credential.ts';
import { createStamp } from '../../src/core/users/sql-directory.ts';
import { createCipher } from '../../src/ground/encryption/cipher.ts';
import { createMemoryKeys } from '../../src/ground/encryption/keys.ts';
import { unlocked } from '../core/users/held.ts';
import { openMigrated, type TestDatabase } from '../ground/database/open.ts';

const owner = { id: 'ann', username: 'ann@example.com' };
const now = () => 0;

let opened: TestDatabase;
before(async () => {
  opened = await openMigrated('SQLite');
  // The only other sources of a secret than the bytes of the system's generator. They now repeat themselves.
  mock.method(Math, 'random', () => 0.5);
  mock.method(Date, 'now', now);
  // A UUID has only 122 random bits.
  for (const source of [nodeCrypto, globalThis.crypto])
    mock.method(source, 'randomUUID', () => '00000000-0000-4000-8000-000000000000');
  syncBuiltinESMExports();
});
after(async () => {
  mock.restoreAll();
  syncBuiltinESMExports();
  await opened[Symbol.asyncDispose]();
});

/** Each makes one secret. */
const makers: Record<string, () => string | Promise<string>> = {
  'a secret of a session, a link, a token or a client': createSecret,
  'the id of a session': createSessionId,
  'the stamp of an account': createStamp,
  'a challenge of a passkey': () =>
    createChallenges(Buffer.alloc(32), { burn: async () => true }, now).create({ purpose: 'sign-in', cookie: 'x' }),
  'an encryption key': () => {
    const keys = createMemoryKeys();
    keys.create();
    return keys.read().join();
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

describe('neither the clock nor Math.random nor a UUID decides', () => {
  for (const [what, make] of Object.entries(makers))
    test(what, async () => {
      const made = new Set<string>();
      for (let count = 0; count < 20; count += 1) made.add(await make());
      assert.equal(made.size, 20);
    });
});

test('ten thousand secrets that are made at once are all different', () => {
  assert.equal(new Set(Array.from({ length: 10_000 }, createSecret)).size, 10_000);
});
