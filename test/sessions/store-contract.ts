import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SessionRecord, SessionStore } from '../../src/sessions/store.ts';

export interface OpenStore extends AsyncDisposable {
  readonly store: SessionStore;
}

let count = 0;

function createRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  const id = `session-${++count}`.padEnd(22, '-');
  return {
    id,
    userId: 'user-1',
    cookieHash: 'c'.repeat(43),
    tokenHash: 't'.repeat(43),
    createdAt: 1_000,
    lastSeenAt: 1_000,
    ...changes,
  };
}

/** What every session store must do. @param open makes an empty one */
export function testSessionStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} as a session store`, () => {
    test('finds what was inserted, as it was', async () => {
      await using opened = await open();
      const record = createRecord({ createdAt: Date.now(), lastSeenAt: Date.now() });
      await opened.store.insert(record, []);
      assert.deepEqual(await opened.store.find(record.id), record);
      for (const id of ['unknown', '', record.id.toUpperCase(), `${record.id} `, "' or 1=1 --", '%', '__proto__']) {
        assert.equal(await opened.store.find(id), undefined);
      }
    });

    test('an insert removes what it replaces', async () => {
      await using opened = await open();
      const [first, second, third] = [createRecord(), createRecord(), createRecord()];
      await opened.store.insert(first, []);
      await opened.store.insert(second, []);
      await opened.store.insert(third, [first.id, first.id, 'unknown']);
      assert.equal(await opened.store.find(first.id), undefined);
      assert.ok(await opened.store.find(second.id));
      assert.ok(await opened.store.find(third.id));
    });

    test('an insert that fails removes nothing', async () => {
      await using opened = await open();
      const [first, second] = [createRecord(), createRecord()];
      await opened.store.insert(first, []);
      await opened.store.insert(second, []);
      await assert.rejects(opened.store.insert(first, [second.id]));
      assert.ok(await opened.store.find(second.id));
    });

    test('a touch changes a record that exists, and never makes one', async () => {
      await using opened = await open();
      const record = createRecord();
      await opened.store.insert(record, []);
      await opened.store.touch(record.id, 2_000);
      assert.deepEqual(await opened.store.find(record.id), { ...record, lastSeenAt: 2_000 });
      await opened.store.remove([record.id]);
      await opened.store.touch(record.id, 3_000);
      assert.equal(await opened.store.find(record.id), undefined);
    });

    test('removing counts what was there', async () => {
      await using opened = await open();
      const [first, second] = [createRecord(), createRecord()];
      await opened.store.insert(first, []);
      await opened.store.insert(second, []);
      assert.equal(await opened.store.remove([first.id, second.id, 'unknown']), 2);
      assert.equal(await opened.store.remove([first.id]), 0);
    });

    test('removes all sessions of a user, and of no other', async () => {
      await using opened = await open();
      const [first, second, other] = [createRecord(), createRecord(), createRecord({ userId: 'user-2' })];
      for (const record of [first, second, other]) await opened.store.insert(record, []);
      assert.equal(await opened.store.removeOfUser('user-1'), 2);
      assert.equal(await opened.store.removeOfUser('user-1'), 0);
      assert.ok(await opened.store.find(other.id));
    });

    test('removes what was not seen since a time, so many at once', async () => {
      await using opened = await open();
      const old = [1, 2, 3].map(() => createRecord({ lastSeenAt: 999 }));
      const seen = createRecord({ lastSeenAt: 1_000 });
      for (const record of [...old, seen]) await opened.store.insert(record, []);
      assert.equal(await opened.store.removeUnseenSince(1_000, 2), 2);
      assert.equal(await opened.store.removeUnseenSince(1_000, 2), 1);
      assert.equal(await opened.store.removeUnseenSince(1_000, 2), 0);
      assert.ok(await opened.store.find(seen.id));
    });

    test('two requests at once: a removed session is not brought back by touches', async () => {
      await using opened = await open();
      const { store } = opened;
      const record = createRecord();
      await store.insert(record, []);
      const touches = Array.from({ length: 20 }, (_, index) => store.touch(record.id, 2_000 + index));
      await Promise.all([
        ...touches,
        store.remove([record.id]),
        ...touches.map((_, index) => store.touch(record.id, 3_000 + index)),
      ]);
      assert.equal(await store.find(record.id), undefined);
    });
  });
}
