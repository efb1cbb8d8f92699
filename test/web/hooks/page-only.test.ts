import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../../src/core/access/refusal.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { ambiguousCredential } from '../../../src/web/hooks/credentials.ts';
import { startServer } from '../server.ts';

test('a program that asks for a page without JSON is refused in JSON, and a browser by a page', async () => {
  let failure: Error;
  await using server = await startServer({ parts: { findSignedIn: () => Promise.reject(failure) } });
  for (const [error, status] of [
    [new Refusal(ambiguousCredential), 400],
    [new Unavailable('The database', 5), 503],
    [new TypeError('a fault'), 500],
  ] as const) {
    failure = error;
    for (const url of ['/', '/auth/login']) {
      const program = await server.get(url, { 'x-expected-format': 'application/json' });
      assert.equal(program.statusCode, status);
      assert.equal(program.headers['content-type'], 'application/json; charset=utf-8');
      assert.equal(program.json().status, status);
      const page = await server.get(url);
      assert.equal(page.statusCode, status);
      assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
      assert.match(page.body, /^<!doctype html>/);
    }
  }
});
