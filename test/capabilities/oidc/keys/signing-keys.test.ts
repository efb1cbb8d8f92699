import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, hash, sign, verify } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createSigningKeys } from '../../../../src/capabilities/oidc/keys/signing-keys.ts';
import { rotateEncryptionKey } from '../../../../src/capabilities/second-factor/rotate-encryption-key.ts';
import { createTotp } from '../../../../src/capabilities/second-factor/totp.ts';
import { createCipher } from '../../../../src/ground/encryption/cipher.ts';
import { createMemoryKeys } from '../../../../src/ground/encryption/keys.ts';
import { Unavailable } from '../../../../src/ground/faults/unavailable.ts';
import '../../../cheap-keys.ts';
import { openMigrated, type TestDatabase } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 10, 26);

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`signing keys in ${engine}`, { skip: missing(engine) }, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openMigrated(engine);
    });
    after(() => opened[Symbol.asyncDispose]());

    /** Empty tables, and a new encryption key. */
    async function open() {
      const { database } = opened;
      for (const table of ['janua_signing_keys', 'janua_totp', 'janua_leases'] as const)
        await database.deleteFrom(table).execute();
      const clock = { now: start };
      const now = () => clock.now;
      const keys = createMemoryKeys();
      const lines: string[] = [];
      const log = { error: (details: object) => void lines.push(JSON.stringify(details)) };
      const cipher = createCipher(keys, log);
      const kept: [string, number][] = [];
      const keepRetired = async ({ kid }: { readonly kid: string }, unpublishedAt: number) =>
        void kept.push([kid, unpublishedAt]);
      const signing = createSigningKeys(database, cipher, keepRetired, now);
      const kids = async () => (await signing.load()).keys.map(({ kid }) => kid);
      const rows = () => database.selectFrom('janua_signing_keys').selectAll().execute();
      return { database, clock, now, keys, lines, log, cipher, keepRetired, kept, signing, kids, rows };
    }

    test('are made when they are first needed, sign, and stay', async () => {
      const { signing } = await open();
      const { keys, version } = await signing.load();
      assert.deepEqual(
        keys.map(({ kty, crv, alg, use }) => [kty, crv, alg, use]),
        [
          ['EC', 'P-256', 'ES256', 'sig'],
          ['RSA', undefined, 'RS256', 'sig'],
        ],
      );
      for (const key of keys) {
        const signature = sign('sha256', Buffer.from('text'), createPrivateKey({ key, format: 'jwk' }));
        const { d: _, ...open } = key;
        assert.ok(verify('sha256', Buffer.from('text'), createPublicKey({ key: open, format: 'jwk' }), signature));
      }
      assert.equal(Buffer.from(keys[1]?.n ?? '', 'base64url').length, 256);
      assert.deepEqual(await signing.load(), { keys, version });
    });

    test('are named by their thumbprint (RFC 7638)', async () => {
      const { signing } = await open();
      for (const key of (await signing.load()).keys) {
        const required = key.kty === 'RSA' ? ['e', 'kty', 'n'] : ['crv', 'kty', 'x', 'y'];
        assert.equal(key.kid, hash('sha256', JSON.stringify(key, required), 'base64url'));
      }
    });

    test('are made once by several processes at a time', async () => {
      const { database, cipher, keepRetired, now, rows } = await open();
      const loads = Array.from({ length: 4 }, () => createSigningKeys(database, cipher, keepRetired, now).load());
      const versions = (await Promise.all(loads)).map(({ version }) => version);
      assert.equal(new Set(versions).size, 1);
      assert.equal((await rows()).length, 2);
    });

    test('stay for a day after they were retired, behind the new ones', async () => {
      const { signing, clock, kids, rows, kept } = await open();
      const old = await signing.load();
      await signing.rotate();
      const { version, keys } = await signing.load();
      assert.notEqual(version, old.version);
      assert.deepEqual(
        keys.map(({ alg }) => alg),
        ['ES256', 'RS256', 'ES256', 'RS256'],
      );
      assert.deepEqual(keys.slice(2), old.keys);
      clock.now += 1;
      await signing.rotate();
      const three = await kids();
      assert.deepEqual(
        three.slice(2),
        keys.map(({ kid }) => kid),
      );
      clock.now += day - 1;
      assert.deepEqual(await kids(), three.slice(0, 4));
      clock.now += 1;
      assert.deepEqual(await kids(), three.slice(0, 2));
      assert.equal((await rows()).length, 2);
      // ID tokens of both algorithms are sent back as hints.
      const ends = (some: readonly { readonly kid: string }[], end: number) => some.map(({ kid }) => [kid, end]);
      assert.deepEqual(kept, [...ends(old.keys, start + day), ...ends(keys.slice(0, 2), start + day + 1)]);
    });

    test('are published for two minutes before they sign', async () => {
      const { signing, clock, kids } = await open();
      const [old] = await kids();
      clock.now += day;
      await signing.rotate();
      const { version, keys } = await signing.load();
      assert.equal(keys[0]?.kid, old);
      clock.now += 2 * 60_000;
      const later = await signing.load();
      assert.notEqual(later.version, version);
      assert.deepEqual(
        later.keys.map(({ kid }) => kid),
        [...keys.slice(2), ...keys.slice(0, 2)].map(({ kid }) => kid),
      );
    });

    test('are replaced once each by rotations at a time', async () => {
      const { database, cipher, keepRetired, now, signing } = await open();
      const old = await signing.load();
      const rotations = Array.from({ length: 3 }, () => createSigningKeys(database, cipher, keepRetired, now).rotate());
      await Promise.all(rotations);
      const living = database.selectFrom('janua_signing_keys').select('id').where('retired_at', 'is', null);
      assert.equal((await living.execute()).length, 2);
      const { keys } = await signing.load();
      assert.equal(keys.length, 8);
      assert.ok(old.keys.every(({ kid }) => keys.slice(2).some((key) => key.kid === kid)));
    });

    test('are stored only encrypted, and each for its own row', async () => {
      const { database, signing, rows, lines } = await open();
      const { keys } = await signing.load();
      const stored = await rows();
      for (const { d = '' } of keys) assert.ok(!JSON.stringify(stored).includes(d));
      const [one, other] = stored;
      await database
        .updateTable('janua_signing_keys')
        .set({ private_key: one?.private_key ?? '' })
        .where('id', '=', other?.id ?? '')
        .execute();
      await assert.rejects(signing.load(), Unavailable);
      assert.match(lines.join(), /secret_unreadable/);
    });

    test('are not made anew when the encryption key is missing, but by the operator', async () => {
      const { database, keepRetired, now, signing, rows, log, lines } = await open();
      const { keys: lost } = await signing.load();
      const empty = createMemoryKeys();
      const copy = createSigningKeys(database, createCipher(empty, log), keepRetired, now);
      await assert.rejects(copy.load(), Unavailable);
      await assert.rejects(copy.rotate(), Unavailable);
      assert.match(lines.join('\n'), /secret_unreadable.*\n.*encryption_unavailable.* missing/);
      assert.deepEqual([(await rows()).length, empty.read()], [2, []]);
      await rotateEncryptionKey(database, empty, now);
      await assert.rejects(copy.load(), Unavailable);
      await copy.rotate();
      const { keys } = await copy.load();
      assert.equal(keys.length, 2);
      assert.ok(!keys.some(({ kid }) => lost.some((key) => key.kid === kid)));
    });

    test('and secrets of authenticator apps share one encryption key, whichever is first', async () => {
      const { database, now, signing, log, cipher } = await open();
      await signing.load();
      const empty = createCipher(createMemoryKeys(), log);
      const ann = { id: 'ann', username: 'ann' };
      const totp = (withCipher: typeof cipher) =>
        createTotp({ database, cipher: withCipher, appName: 'Example', now }).begin(ann, 'ann');
      await assert.rejects(totp(empty), Unavailable);
      await totp(cipher);
    });

    test('survive a rotation of the encryption key', async () => {
      const { database, keys, now, signing, lines } = await open();
      const loaded = await signing.load();
      for (const _ of [1, 2, 3])
        assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 2, unreadable: 0 });
      assert.deepEqual(await signing.load(), loaded);
      assert.deepEqual(lines, []);
    });
  });
}
