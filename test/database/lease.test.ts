import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimLease } from '../../src/database/lease.ts';
import { missing } from '../servers/missing.ts';
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
}
