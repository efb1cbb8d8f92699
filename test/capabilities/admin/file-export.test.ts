import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whileAllowed } from '../../../src/capabilities/admin/file-export.ts';

test('a file that is read slowly ends once its user may not have it, and is asked for every five seconds at most', async () => {
  const clock = { now: 0 };
  let looks = 0;
  let isAllowed = true;
  const read: string[] = [];
  const lines = whileAllowed(
    Array.from({ length: 10 }, (_, index) => `${index}`),
    async () => {
      looks += 1;
      return isAllowed;
    },
    () => clock.now,
  );
  const reading = (async () => {
    for await (const line of lines) {
      read.push(line);
      clock.now += 2_500;
      if (read.length === 5) isAllowed = false;
    }
  })();
  await assert.rejects(reading, /may not have the rest/);
  assert.deepEqual([read.join(''), looks], ['012345', 3]);
});
