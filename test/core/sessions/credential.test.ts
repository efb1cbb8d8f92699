import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSessionId } from '../../../src/core/sessions/credential.ts';

// Shows: V7.2.3
test('a session id is unique, and a command can take it as an argument', () => {
  const ids = new Set(Array.from({ length: 10_000 }, createSessionId));
  assert.equal(ids.size, 10_000);
  for (const id of ids) assert.match(id, /^\w[\w-]{21}$/);
});
