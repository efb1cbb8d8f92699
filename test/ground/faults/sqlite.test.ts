import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { serveOn } from './served.ts';
import { createSmallDisk, mayMount } from './small-disk.ts';

describe('Janua reports the fault and recovers when a SQLite file', () => {
  test('is locked for writing by another process, and reads still work', async () => {
    await using served = await serveOn({ env: { DATABASE_URL: 'sqlite:./janua.db' } });
    const other = new DatabaseSync(join(served.workplace.folder, 'janua.db'));
    other.exec('begin immediate');
    await served.expectUnavailable('The database', { readable: true });
    other.exec('rollback');
    other.close();
    await served.expectRecovery();
    assert.deepEqual([served.count('store_unavailable'), served.count('store_available')], [1, 1]);
  });

  test('is moved or replaced while the server runs', async () => {
    await using served = await serveOn({ env: { DATABASE_URL: 'sqlite:./janua.db' } });
    const path = join(served.workplace.folder, 'janua.db');
    await rename(path, `${path}.moved`);
    await served.expectUnready('The database');
    await writeFile(path, '');
    await served.expectUnready('The database');
    await rm(path);
    await rename(`${path}.moved`, path);
    await served.expectRecovery();
  });

  test('is on a full disk, and reads still work', {
    skip: !mayMount() && 'only root may mount a small disk',
  }, async () => {
    await using disk = await createSmallDisk(4);
    await using served = await serveOn({ env: { DATABASE_URL: `sqlite:${disk.folder}/janua.db` } });
    await disk.fill();
    await served.fillUntilRefused();
    await served.expectUnavailable('The database', { readable: true });
    await disk.clear();
    await served.expectRecovery();
  });
});
