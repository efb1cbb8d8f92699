import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { claimLease, holdLease } from '../../../src/ground/database/lease.ts';
import { clockTolerance } from '../../../src/ground/faults/clock.ts';
import { missing } from '../../servers/missing.ts';
import { openMigrated } from './open.ts';

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  test(`only one of several processes gets a lease on ${engine}, until the lease expires`, {
    skip: missing(engine),
  }, async () => {
    await using opened = await openMigrated(engine);
    const claim = (now: number) => claimLease(opened.database, 'work', now, now + 100);
    const winners = async (now: number) =>
      (await Promise.all(Array.from({ length: 8 }, () => claim(now)))).filter(Boolean).length;
    assert.equal(await winners(1000), 1);
    assert.equal(await winners(1099), 0);
    assert.equal(await winners(1100), 1);
    assert.equal(await claimLease(opened.database, 'other work', 1100, 1200), true);
  });

  test(`a lease on ${engine} that was claimed or given back under a wrong clock holds up no process`, {
    skip: missing(engine),
  }, async () => {
    await using opened = await openMigrated(engine);
    const { database } = opened;
    const claim = (now: number) => claimLease(database, 'work', now, now + 100);
    const year = 365 * 24 * 60 * 60 * 1000;
    assert.equal(await claim(1000 + year), true);
    assert.equal(await claim(1000), true);
    assert.equal(await claim(1100 + clockTolerance), true);
    assert.equal(await claim(1100), false, 'clocks may differ by that much');
    assert.equal(await claim(1099), true);

    const held = await holdLease(database, 'other work', () => 1000 + clockTolerance);
    assert.ok(held);
    await held[Symbol.asyncDispose]();
    assert.equal(await claimLease(database, 'other work', 1000, 1100), true);
  });

  test(`a lease on ${engine} is held until it is given back, or is not renewed`, {
    skip: missing(engine),
  }, async () => {
    await using opened = await openMigrated(engine);
    let time = 1000;
    const hold = () => holdLease(opened.database, 'work', () => time);
    const first = await hold();
    assert.ok(first);
    assert.equal(await hold(), undefined);
    time += 9_999;
    assert.deepEqual([first.isHeld(), await hold()], [true, undefined]);
    time += 1;
    assert.equal(first.isHeld(), false);
    const second = await hold();
    assert.ok(second);
    await first[Symbol.asyncDispose]();
    assert.deepEqual([second.isHeld(), await hold()], [true, undefined], 'the former holder cannot give it back');
    await second[Symbol.asyncDispose]();
    assert.equal(second.isHeld(), false);
    await using third = await hold();
    assert.ok(third?.isHeld());
  });

  test(`the holder of a lease on ${engine} renews it, unless another process has it`, {
    skip: missing(engine),
  }, async (t) => {
    await using opened = await openMigrated(engine);
    const { database } = opened;
    t.mock.timers.enable({ apis: ['setInterval'] });
    let time = 1000;
    await using lease = await holdLease(database, 'work', () => time);
    const ofWork = database.selectFrom('janua_leases').selectAll().where('name', '=', 'work');
    const expiry = async () => Number((await ofWork.executeTakeFirstOrThrow()).expires_at);
    async function renew(): Promise<void> {
      time += 3000;
      t.mock.timers.tick(3000);
      while ((await expiry()) < time + 10_000 && lease?.isHeld()) await setImmediate();
    }
    await renew();
    await renew();
    assert.deepEqual([await expiry(), lease?.isHeld()], [7000 + 10_000, true]);
    await database.updateTable('janua_leases').set({ expires_at: 1 }).execute();
    await renew();
    assert.deepEqual([await expiry(), lease?.isHeld()], [1, false]);
  });
}
