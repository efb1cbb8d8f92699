import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { exchange, parseAnswers } from '../fuzz/wire.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { json } from './faces.ts';

let janua: TestJanua;
let port: number;
let value: string;
before(async () => {
  janua = await startJanua({ settings: { PUBLIC_URL: 'https://auth.example.com' } });
  const login = { method: 'POST', url: '/api/login', ...json({ username: ann.username, password }) } as const;
  value = (await janua.app.inject(login)).cookies.find(({ name }) => name === '__Host-session')?.value ?? '';
  port = Number(new URL(await janua.app.listen({ host: '127.0.0.1', port: 0 })).port);
});
after(() => janua[Symbol.asyncDispose]());

async function statusWith(cookie: string): Promise<number | undefined> {
  const head = `GET /api/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: ${cookie}\r\n\r\n`;
  return parseAnswers(await exchange(port, head))[0]?.status;
}

const bytes = Array.from({ length: 0xff }, (_, index) => String.fromCharCode(index + 1));

/** A field may contain a tab, but no other control character (RFC 9110 5.5). */
const isControl = (byte: string) => (byte < ' ' && byte !== '\t') || byte === '\x7f';

/** A cookie with an extra byte in one place, and the bytes that change nothing: blanks (RFC 6265bis 5.6), and the end of a pair. */
const places: [place: string, write: (more: string) => string, harmless: string][] = [
  ['before the name', (more) => `${more}__Host-session=${value}`, ' \t;'],
  ['after the name', (more) => `__Host-session${more}=${value}`, ' \t'],
  ['before the value', (more) => `__Host-session=${more}${value}`, ' \t'],
  ['after the value', (more) => `__Host-session=${value}${more}`, ' \t;'],
];

describe('the session cookie over HTTPS needs its exact name and value', () => {
  for (const [place, write, harmless] of places) {
    test(`any byte ${place} makes it another cookie, except a blank`, async () => {
      for (const byte of bytes) {
        const expected = isControl(byte) ? 400 : harmless.includes(byte) ? 200 : 401;
        for (const more of [byte, ` ${byte}`, `${byte} `]) {
          const header = `a=b; ${write(more)}; c=d`;
          assert.equal(await statusWith(header), expected, JSON.stringify(header));
        }
      }
    });
  }

  test('a cookie with a similar name does not replace the real one', async () => {
    for (const name of [
      '\xa0__Host-session',
      '"\xa0__Host-session',
      ';;$__Host-session',
      ' x__Host-session',
      '__host-session',
    ])
      for (const other of ['x', value]) {
        assert.equal(await statusWith(`${name}=${value}`), 401, JSON.stringify(name));
        assert.equal(await statusWith(`__Host-session=${value}; ${name}=${other}`), 200, JSON.stringify(name));
      }
  });

  test('neither is percent-decoded, unquoted or read in another case', async () => {
    for (const cookie of [
      `__Host-session=${value.replace('.', '%2E')}`,
      `__Host-session=%${value.charCodeAt(0).toString(16)}${value.slice(1)}`,
      `__Host%2Dsession=${value}`,
      `__Host-session="${value}"`,
    ])
      assert.equal(await statusWith(cookie), 401, cookie);
  });

  test('two cookies of that name count as none, also with the same value', async () => {
    for (const other of [value, 'x', '']) {
      const pairs = [`__Host-session=${value}`, `__Host-session=${other}`];
      for (const sent of [pairs, pairs.toReversed()]) assert.equal(await statusWith(sent.join('; ')), 401, other);
    }
  });
});
