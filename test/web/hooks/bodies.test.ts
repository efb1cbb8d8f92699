import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mostFields } from '../../../src/web/hooks/bodies.ts';
import { startServer } from '../server.ts';

test('a form of too many fields is refused, whether their names differ or not', async () => {
  await using server = await startServer({ parts: {} });
  const send = async (fields: readonly string[]) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-expected-format': 'application/json' };
    const payload = fields.join('&');
    return (await server.app.inject({ method: 'POST', url: '/api/login', headers, payload })).json();
  };
  for (const nameOf of [(index: number) => `n${index}=`, () => 'n=']) {
    const fields = Array.from({ length: mostFields }, (_, index) => nameOf(index));
    assert.equal((await send(fields)).error, 'invalid_request', 'the name and the password are missing');
    for (const more of [1, 5000]) {
      const { status, error } = await send([...fields, ...Array.from({ length: more }, () => 'more=')]);
      assert.deepEqual([status, error], [400, undefined]);
    }
  }
});
