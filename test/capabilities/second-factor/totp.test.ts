import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { rotateEncryptionKey } from '../../../src/capabilities/second-factor/rotate-encryption-key.ts';
import { createTotp } from '../../../src/capabilities/second-factor/totp.ts';
import type { User } from '../../../src/core/users/user.ts';
import { createCipher } from '../../../src/ground/encryption/cipher.ts';
import { createMemoryKeys } from '../../../src/ground/encryption/keys.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { unlocked } from '../../core/users/held.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import { codeOf, fromBase32 } from './authenticator-app.ts';

const minute = 60_000;
const start = Date.UTC(2026, 10, 26);
const ann = { id: 'ann', username: 'ann@example.com' };
const bob = { id: 'bob', username: 'bob@example.com' };

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`authenticator apps in ${engine}`, { skip: missing(engine) }, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openMigrated(engine);
    });
    after(() => opened[Symbol.asyncDispose]());
    const heldBy = (owner: Pick<User, 'id'>) => unlocked(opened.database, owner);

    /** Empty tables, and a new key. */
    async function open() {
      const { database } = opened;
      for (const table of ['janua_totp', 'janua_leases'] as const) await database.deleteFrom(table).execute();
      const clock = { now: start };
      const now = () => clock.now;
      const keys = createMemoryKeys();
      const lines: string[] = [];
      const cipher = createCipher(keys, { error: (details) => void lines.push(JSON.stringify(details)) });
      const totp = createTotp({ database, cipher, appName: 'Example & Co: Login', now });
      /** What the app of a user shows a number of steps from now. */
      const show = (secret: string, steps = 0) => codeOf(secret, clock.now + steps * 30_000);
      async function enable(owner: typeof ann): Promise<string> {
        const { secret } = await totp.begin(owner, 'ann@example.com');
        assert.equal(await totp.enable(heldBy(owner), show(secret)), true);
        clock.now += minute;
        return secret;
      }
      const rows = () => database.selectFrom('janua_totp').selectAll().orderBy('id').execute();
      return { database, clock, now, keys, lines, totp, show, enable, rows };
    }

    test('a secret counts once the app has shown a code of it', async () => {
      const { totp, show, clock } = await open();
      const { secret, uri } = await totp.begin(ann, 'ann+x@example.com');
      assert.match(secret, /^[A-Z2-7]{32}$/);
      const { protocol, host, pathname, search } = new URL(uri);
      assert.deepEqual([protocol, host], ['otpauth:', 'totp']);
      assert.equal(pathname, '/Example%20%26%20Co%3A%20Login:ann%2Bx%40example.com');
      assert.equal(search, `?secret=${secret}&issuer=Example%20%26%20Co%3A%20Login&algorithm=SHA1&digits=6&period=30`);
      assert.equal(await totp.find(ann), undefined);
      assert.equal(await totp.check(ann, show(secret)), false);
      assert.equal(await totp.enable(heldBy(ann), '000000'), false);
      assert.equal(await totp.enable(heldBy(bob), show(secret)), false);
      assert.equal(await totp.enable(heldBy(ann), show(secret)), true);
      assert.deepEqual(await totp.find(ann), { createdAt: new Date(start), lastUsedAt: undefined });
      assert.equal(await totp.enable(heldBy(ann), show(secret, 1)), false, 'nothing waits any more');
      clock.now += minute;
      assert.equal(await totp.check(ann, show(secret)), true);
      assert.deepEqual(await totp.find(ann), { createdAt: new Date(start), lastUsedAt: new Date(start + minute) });
      assert.equal(await totp.check(bob, show(secret, 1)), false);
    });

    test('the address for an app fits into a QR code, however long the names are', async () => {
      const { totp } = await open();
      for (const account of [`${'a'.repeat(240)}@example.com`, `${'一'.repeat(230)}@example.org`, '😀'.repeat(120)]) {
        const { uri } = await totp.begin(ann, account);
        const shown = decodeURIComponent(uri.split(':').at(-1)?.split('?')[0] ?? '');
        assert.ok(shown === account || (shown.endsWith('…') && account.startsWith(shown.slice(0, -1))), shown);
        assert.ok(uri.length < 600, uri);
      }
    });

    test('no code of the last accepted step or an earlier one is accepted again', async () => {
      const { totp, show, clock } = await open();
      const { secret } = await totp.begin(ann, 'ann');
      assert.equal(await totp.enable(heldBy(ann), show(secret)), true);
      for (const steps of [0, -1]) assert.equal(await totp.check(ann, show(secret, steps)), false, 'used to enable');
      clock.now += 5 * minute;
      assert.equal(await totp.check(ann, show(secret)), true);
      for (const steps of [0, -1, 0]) assert.equal(await totp.check(ann, show(secret, steps)), false);
      assert.equal(await totp.check(ann, show(secret, 1)), true, 'the clock of the phone may be ahead');
      clock.now += 30_000;
      assert.equal(await totp.check(ann, show(secret)), false);
      clock.now += 30_000;
      assert.equal(await totp.check(ann, show(secret)), true);
    });

    test('of 50 uses of a code at the same time, one succeeds', async () => {
      const { totp, show, enable } = await open();
      const secret = await enable(ann);
      const check = () => totp.check(ann, show(secret));
      const results = await Promise.all(Array.from({ length: 50 }, check));
      assert.equal(results.filter(Boolean).length, 1);
    });

    test('of 50 attempts to enable a secret at the same time, one succeeds', async () => {
      const { totp, show, clock, database } = await open();
      const { secret } = await totp.begin(ann, 'ann');
      const attempts = Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0
          ? totp.enable(heldBy(ann), show(secret))
          : database.transaction().execute((db) => totp.enable(unlocked(db, ann), show(secret))),
      );
      const results = await Promise.allSettled(attempts);
      assert.equal(results.filter((result) => result.status === 'fulfilled' && result.value).length, 1);
      clock.now += minute;
      assert.equal(await totp.check(ann, show(secret)), true);
    });

    test('a secret waits for ten minutes, and the latest one replaces it', async () => {
      const { totp, show, clock, rows } = await open();
      const first = await totp.begin(ann, 'ann');
      const second = await totp.begin(ann, 'ann');
      assert.notEqual(first.secret, second.secret);
      assert.equal((await rows()).length, 1);
      assert.equal(await totp.enable(heldBy(ann), show(first.secret)), false);
      clock.now += 10 * minute;
      assert.equal(await totp.enable(heldBy(ann), show(second.secret)), false);
      clock.now -= 1;
      assert.equal(await totp.enable(heldBy(ann), show(second.secret)), true);
      const many = await Promise.all(Array.from({ length: 20 }, () => totp.begin(bob, 'bob')));
      const enabled = await Promise.all(many.map(({ secret }) => totp.enable(heldBy(bob), show(secret))));
      assert.equal(enabled.filter(Boolean).length, 1);
    });

    test('a secret that waited in vain is removed by the upkeep, and no other', async () => {
      const { totp, enable, clock, rows } = await open();
      await enable(ann);
      await totp.begin(bob, 'bob');
      const idsAfter = async (milliseconds: number) => {
        await totp.removeExpired(clock.now + milliseconds);
        return (await rows()).map(({ id }) => id);
      };
      assert.deepEqual(await idsAfter(10 * minute), ['active:ann', 'waiting:bob']);
      assert.deepEqual(await idsAfter(10 * minute + 1), ['active:ann']);
    });

    test('an enabled secret stays until another one is enabled', async () => {
      const { totp, show, enable, clock, rows } = await open();
      const old = await enable(ann);
      const { secret } = await totp.begin(ann, 'ann');
      assert.equal(await totp.check(ann, show(secret)), false);
      assert.equal(await totp.check(ann, show(old)), true);
      assert.equal(await totp.enable(heldBy(ann), show(secret, -1)), true, 'the steps of the old secret do not count');
      clock.now += minute;
      assert.equal(await totp.check(ann, show(old)), false);
      assert.equal(await totp.check(ann, show(secret)), true);
      assert.equal((await rows()).length, 1);
    });

    test('a transaction that fails gives the code back', async () => {
      const { totp, show, enable, database } = await open();
      const secret = await enable(ann);
      const failure = database.transaction().execute(async (db) => {
        assert.equal(await totp.check(ann, show(secret), db), true);
        throw new Error('the session could not be started');
      });
      await assert.rejects(failure, /could not be started/);
      assert.equal(await totp.check(ann, show(secret)), true);
    });

    test('secrets are removed with the one that waits, and those of other users stay', async () => {
      const { totp, show, enable } = await open();
      const own = await enable(ann);
      const others = await enable(bob);
      const { secret } = await totp.begin(ann, 'ann');
      await totp.remove(ann);
      assert.equal(await totp.check(ann, show(own)), false);
      assert.equal(await totp.enable(heldBy(ann), show(secret)), false);
      assert.equal(await totp.check(bob, show(others)), true);
    });

    test('a secret is stored only encrypted, and for its own row', async () => {
      const { totp, show, enable, rows, database, lines } = await open();
      const [anns, bobs] = [await enable(ann), await enable(bob)];
      const { secret: waiting } = await totp.begin(ann, 'ann');
      const stored = await rows();
      const text = JSON.stringify(stored);
      for (const secret of [anns, bobs, waiting])
        for (const form of [
          secret,
          ...(['hex', 'base64url', 'latin1'] as const).map((encoding) => fromBase32(secret).toString(encoding)),
        ])
          assert.ok(!text.includes(form));
      const [first, second] = stored;
      assert.deepEqual([first?.id, second?.id], ['active:ann', 'active:bob']);
      await database
        .updateTable('janua_totp')
        .set({ secret: first?.secret ?? '' })
        .where('id', '=', 'active:bob')
        .execute();
      assert.deepEqual(lines, []);
      assert.equal(await totp.check(bob, show(anns)), false);
      assert.equal(await totp.check(bob, show(bobs)), false);
      assert.equal(lines.length, 2);
      assert.equal(await totp.check(ann, show(anns)), true);
    });

    test('in a copy of the database without the key, every code is wrong and no secret is added', async () => {
      const { enable, show, database, now } = await open();
      const secret = await enable(ann);
      const lines: string[] = [];
      const keys = createMemoryKeys();
      const cipher = createCipher(keys, { error: (details) => void lines.push(JSON.stringify(details)) });
      const copy = createTotp({ database, cipher, appName: 'Example', now });
      assert.equal(await copy.check(ann, show(secret)), false);
      assert.ok(await copy.find(ann), 'the account still has a second factor');
      await assert.rejects(copy.begin(bob, 'bob'), Unavailable);
      assert.match(lines.join('\n'), /^{"event":"secret_unreadable",.*}\n{"event":"encryption_unavailable",.* missing/);
      assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 0, unreadable: 1 });
      assert.equal(await copy.check(ann, show(secret)), false);
      const { secret: another } = await copy.begin(ann, 'ann');
      assert.equal(await copy.enable(heldBy(ann), show(another)), true);
    });

    describe('a rotation of the encryption key', () => {
      test('encrypts every secret anew, and users notice nothing', async () => {
        const { totp, show, enable, keys, rows, database, now } = await open();
        assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 0, unreadable: 0 });
        const secret = await enable(ann);
        const { secret: waiting } = await totp.begin(bob, 'bob');
        const before = await rows();
        assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 2, unreadable: 0 });
        for (const [index, row] of (await rows()).entries()) assert.notEqual(row.secret, before[index]?.secret);
        assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 2, unreadable: 0 });
        assert.equal(await totp.check(ann, show(secret)), true);
        assert.equal(await totp.enable(heldBy(bob), show(waiting)), true);
      });

      test('that was interrupted is finished by the next one', async () => {
        const { totp, show, enable, keys, rows, database, now } = await open();
        const [anns, bobs] = [await enable(ann), await enable(bob)];
        const [old] = keys.read();
        const [, second] = await rows();
        await rotateEncryptionKey(database, keys, now);
        // As it was left by a process that ended after the first row.
        await database
          .updateTable('janua_totp')
          .set({ secret: second?.secret ?? '' })
          .where('id', '=', 'active:bob')
          .execute();
        assert.deepEqual(keys.read().slice(1), [old]);
        assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 2, unreadable: 0 });
        assert.equal(keys.read().length, 2);
        assert.ok(!keys.read().some((key) => old?.equals(key)));
        assert.equal(await totp.check(ann, show(anns)), true);
        assert.equal(await totp.check(bob, show(bobs)), true);
      });

      test('leaves nothing undecryptable if two run at the same time, and users add secrets', async () => {
        const { totp, show, keys, database, now, clock, lines } = await open();
        await totp.begin(ann, 'ann');
        const users = Array.from({ length: 30 }, (_, index) => ({ id: `user-${index}`, username: '' }));
        const [rotations, secrets] = await Promise.all([
          Promise.allSettled([1, 2].map(() => rotateEncryptionKey(database, keys, now))),
          Promise.all(
            users.map(async (user) => {
              const { secret } = await totp.begin(user, 'user');
              assert.equal(await totp.enable(heldBy(user), show(secret)), true);
              return secret;
            }),
          ),
        ]);
        assert.ok(rotations.some(({ status }) => status === 'fulfilled'));
        for (const rotation of rotations)
          if (rotation.status === 'rejected')
            assert.match(String(rotation.reason), /Another process is replacing this key/);
        clock.now += minute;
        for (const [index, user] of users.entries())
          assert.equal(await totp.check(user, show(secrets[index] ?? '')), true);
        assert.deepEqual(lines, []);
      });

      test('handles more secrets than fit on a page', async () => {
        const { enable, rows, keys, database, now } = await open();
        await enable(ann);
        const [row] = await rows();
        assert.ok(row);
        await database.transaction().execute(async (db) => {
          for (let index = 0; index < 1100; index += 1)
            await db
              .insertInto('janua_totp')
              .values({ ...row, id: `active:${index}` })
              .execute();
        });
        assert.deepEqual(await rotateEncryptionKey(database, keys, now), { encrypted: 1, unreadable: 1100 });
      });
    });
  });
}
