import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventIds, firstIdAt } from '../../../src/core/audit/event-id.ts';

test('event ids are UUIDs of version 7, ordered by time and creation', () => {
  const createId = createEventIds();
  const time = Date.UTC(2026, 0, 1);
  const ids = [time - 1, ...Array<number>(4096).fill(time), time + 1, time + 2].map((at) => createId(at));
  for (const id of ids) assert.match(id, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(Number.parseInt((ids[1] ?? '').replace('-', '').slice(0, 12), 16), time);
});

test('event ids stay unique even with too many in a millisecond to be ordered', () => {
  const createId = createEventIds();
  const ids = new Set(Array.from({ length: 10_000 }, () => createId(1)));
  assert.equal(ids.size, 10_000);
});

test('event ids follow the clock when it is set back', () => {
  const createId = createEventIds();
  const [late, early] = [createId(2000), createId(1000)];
  assert.ok(early < late);
});

test('the first id at a time sorts after all earlier ids and before all later ones', () => {
  const createId = createEventIds();
  for (const time of [1, 1000, Date.UTC(2026, 0, 1)]) {
    const [before, at] = [createId(time - 1), createId(time)];
    assert.ok(before < firstIdAt(time) && firstIdAt(time) <= at);
  }
  assert.equal(firstIdAt(-1), firstIdAt(0));
  assert.equal(firstIdAt(Number.POSITIVE_INFINITY), 'ffffffff-ffff-7000-8000-000000000000');
});
