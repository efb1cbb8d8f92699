import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSessionId } from '../../src/sessions/credential.ts';

// Shows: V7.2.3
test('a session id can be given to a command, and is never given twice', () => {
  const ids = new Set(Array.from({ length: 10_000 }, createSessionId));
  assert.equal(ids.size, 10_000);
  for (const id of ids) assert.match(id, /^\w[\w-]{21}$/);
});
