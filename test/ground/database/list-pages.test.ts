import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { listPages } from '../../../src/ground/database/list-pages.ts';
import { runPart } from '../../../src/ground/database/long-work.ts';

test('lists that are read at once take turns, and others have theirs before each part', async () => {
  let reading = 0;
  let turns = 0;
  let isOver = false;
  const turnsAt: number[] = [];
  const others = (async () => {
    for (; !isOver; turns += 1) await setImmediate();
  })();
  async function read(after: string): Promise<readonly string[]> {
    reading += 1;
    assert.equal(reading, 1, 'no other part is read meanwhile');
    turnsAt.push(turns);
    // As a database that answers later.
    await setImmediate();
    reading -= 1;
    return after === 'ccc' ? [] : [`${after}c`];
  }
  const lists = Array.from({ length: 20 }, () => Array.fromAsync(listPages(read, (row) => row)));
  const read20 = await Promise.all(lists).finally(() => {
    isOver = true;
  });
  for (const rows of read20) assert.deepEqual(rows, ['c', 'cc', 'ccc']);
  await others;
  assert.equal(new Set(turnsAt).size, 80, 'each part was read in a turn of its own');
});

test('a part that cannot be read stops no other list', async () => {
  const failing = runPart(() => Promise.reject(new Error('no connection')));
  const next = runPart(async () => 'read');
  await assert.rejects(failing, /no connection/);
  assert.equal(await next, 'read');
});
