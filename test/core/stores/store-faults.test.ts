import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusedAccount } from '../../../src/core/stores/store-faults.ts';

test('a URL without the password that PostgreSQL asks for is told in words, and not in those of the client', () => {
  const error = new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string');
  assert.equal(
    refusedAccount(error)?.faults[0]?.message,
    'DATABASE_URL: The database refuses it (it asks for a password, and the URL has none).',
  );
});
