import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { loginFaces } from '../faces.ts';
import { startServer, type TestServer } from '../server.ts';

const cause = () => new Error('connect ECONNREFUSED 10.0.0.5:5432');

/** Each with the message that its line of the log has. */
const faults: Record<string, [error: Error, status: number, message: string]> = {
  'a fault of our own': [new TypeError('secret detail'), 500, 'unexpected error'],
  'a fault with a status': [Object.assign(new Error('secret detail'), { statusCode: 500 }), 500, 'unexpected error'],
  'a fault with another status': [
    Object.assign(new Error('secret detail'), { statusCode: 503 }),
    500,
    'unexpected error',
  ],
  'an unavailable store': [new Unavailable('The secret database', 5, cause()), 503, 'unavailable'],
};

describe('what a client sent is not logged, and the text of the error not sent, after', () => {
  const lines: string[] = [];
  let failure: Error;
  let server: TestServer;
  before(async () => {
    const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
    server = await startServer({ log, parts: { logIn: () => Promise.reject(failure) } });
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [what, [error, status, message]] of Object.entries(faults))
    test(what, async () => {
      failure = error;
      lines.length = 0;
      for (const { request } of loginFaces) {
        const sent = request({ username: 'canary-name', password: 'canary-password' });
        const headers = { ...sent.headers, cookie: 'session=canary-cookie', authorization: 'Bearer canary-token' };
        const answer = await server.app.inject({ ...sent, headers });
        assert.equal(answer.statusCode, status);
        assert.doesNotMatch(answer.body + JSON.stringify(answer.headers), /secret|ECONNREFUSED/);
      }
      assert.equal(lines.filter((line) => JSON.parse(line).msg === message).length, loginFaces.length);
      assert.doesNotMatch(lines.join(''), /canary/);
    });
});
