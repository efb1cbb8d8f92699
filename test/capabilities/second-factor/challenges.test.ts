import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChallenges } from '../../../src/capabilities/second-factor/challenges.ts';

test('a challenge is valid for its purpose and its cookie alone, and for no request without a cookie', () => {
  const { create, isValid } = createChallenges(Buffer.alloc(32), { markUsed: async () => true }, () => 0);
  const binding = { purpose: 'sign-in', cookie: 'a' };
  assert.equal(isValid(create(binding), binding), true);
  assert.equal(isValid(create(binding), { ...binding, cookie: 'b' }), false);
  assert.equal(isValid(create(binding), { ...binding, purpose: 'add' }), false);
  const none = { ...binding, cookie: undefined };
  assert.equal(isValid(create(none), none), false);
});
