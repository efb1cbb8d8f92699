import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createTokens } from '../../../src/core/tokens/tokens.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { inTransaction } from '../../../src/ground/database/transaction.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 10, 26);
const reset = {
  ...{ purpose: 'reset-password', userId: 'ann', address: 'ann@example.com', stamp: 'first' },
  expiresAt: start + hour,
};

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`one-time tokens in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const clock = { now: start };
      return { ...opened, clock, tokens: createTokens(opened.database, () => clock.now) };
    }

    test('of 50 redemptions at the same time, one succeeds', async () => {
      await using opened = await open();
      const { tokens, database } = opened;
      const secret = await tokens.issue(reset);
      const redeem = () => inTransaction(database, (db) => tokens.consume('reset-password', secret, db));
      const results = await Promise.all(Array.from({ length: 50 }, redeem));
      assert.equal(results.filter(Boolean).length, 1);
      assert.equal(await tokens.find('reset-password', secret), undefined);
    });

    test('links for a long time leave those of another purpose, which end sooner', async () => {
      await using opened = await open();
      const { tokens } = opened;
      const toNewAddress = { ...reset, purpose: 'confirm-email', expiresAt: start + 24 * hour };
      for (let link = 0; link < 100; link += 1) await tokens.issue(toNewAddress);
      const secret = await tokens.issue(reset);
      assert.ok(await tokens.find('reset-password', secret));
      await tokens.issue(toNewAddress);
      assert.ok(await tokens.find('reset-password', secret));
    });

    test('of 50 uses of a signed text at the same time, one is the first', async () => {
      await using opened = await open();
      const { tokens, clock, database } = opened;
      const burn = () => tokens.markUsed('challenge', 'signed', start + hour);
      const results = await Promise.all(Array.from({ length: 50 }, burn));
      assert.equal(results.filter(Boolean).length, 1);
      assert.equal(await tokens.markUsed('challenge', 'another', start + hour), true);
      clock.now += hour + 1;
      assert.equal(await removeExpired(database, 'janua_tokens', clock.now), 2);
    });

    test('a token tells what it proves, and stays until it is consumed', async () => {
      await using opened = await open();
      const { tokens } = opened;
      const secret = await tokens.issue(reset);
      assert.match(secret, /^[\w-]{43}$/);
      assert.deepEqual(await tokens.find('reset-password', secret), reset);
      assert.equal(await tokens.consume('reset-password', secret), true);
      assert.equal(await tokens.consume('reset-password', secret), false);
    });

    test('two tokens that prove the same differ', async () => {
      await using opened = await open();
      const { tokens } = opened;
      const [one, other] = [await tokens.issue(reset), await tokens.issue(reset)];
      for (const secret of [one, other]) assert.deepEqual(await tokens.find('reset-password', secret), reset);
      assert.notEqual(one, other);
    });

    test('a blank, foreign, truncated or expired token proves nothing', async () => {
      await using opened = await open();
      const { tokens, clock } = opened;
      const secret = await tokens.issue(reset);
      for (const text of ['', ' ', 'null', secret.slice(0, -1), `${secret}=`, secret.toUpperCase(), `${secret} `, '\0'])
        assert.equal(await tokens.consume('reset-password', text), false, text);
      assert.equal(await tokens.consume('sign-up', secret), false);
      clock.now += hour;
      assert.equal(await tokens.find('reset-password', secret), undefined);
      assert.equal(await tokens.consume('reset-password', secret), false);
    });

    test('a transaction that fails gives the token back', async () => {
      await using opened = await open();
      const { tokens, database } = opened;
      const secret = await tokens.issue(reset);
      const failure = database.transaction().execute(async (db) => {
        assert.ok(await tokens.consume('reset-password', secret, db));
        throw new Error('the account could not be changed');
      });
      await assert.rejects(failure, /could not be changed/);
      assert.ok(await tokens.consume('reset-password', secret));
    });

    test('expired ones are removed, of users and of strangers', async () => {
      await using opened = await open();
      const { tokens, clock, database } = opened;
      await tokens.issue(reset);
      await tokens.issue({ ...reset, purpose: 'sign-up', userId: undefined });
      assert.equal(await removeExpired(database, 'janua_tokens', clock.now), 0);
      clock.now += hour + 1;
      assert.equal(await removeExpired(database, 'janua_tokens', clock.now), 2);
      assert.deepEqual(await database.selectFrom('janua_tokens').selectAll().execute(), []);
    });

    test('only a hash of the secret is stored', async () => {
      await using opened = await open();
      const secret = await opened.tokens.issue(reset);
      const rows = await opened.database.selectFrom('janua_tokens').selectAll().execute();
      assert.ok(!JSON.stringify(rows).includes(secret));
    });
  });
}
