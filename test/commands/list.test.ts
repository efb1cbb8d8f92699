import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteOf, secondOf } from '../../src/commands/list.ts';

const { TZ } = process.env;
before(() => {
  process.env.TZ = 'Asia/Kolkata';
});
after(() => {
  if (TZ === undefined) delete process.env.TZ;
  else process.env.TZ = TZ;
});

test('tables show times in UTC, whatever the time zone of the machine', () => {
  const time = new Date(Date.UTC(2026, 0, 1, 20, 30, 15));
  assert.notEqual(time.getHours(), 20);
  assert.deepEqual([minuteOf(time), secondOf(time)], ['2026-01-01 20:30', '2026-01-01 20:30:15']);
});
