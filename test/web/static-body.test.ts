import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { startJanua, type TestJanua } from '../janua.ts';
import { startServer } from './server.ts';

/** Everything that is the same for every client. */
const files = [
  '/openapi.json',
  ...['swagger-ui.css', 'swagger-ui.js', 'docs.js'].map((name) => `/docs/${name}`),
  ...['pico.css', 'janua.css', 'theme.css', 'logo.svg', 'pages.js', 'passkeys.js', 'submit.js'].map(
    (name) => `/assets/${name}`,
  ),
  '/favicon.ico',
];

const decode = { br: brotliDecompressSync, gzip: gunzipSync, none: (bytes: Buffer) => bytes };

/** Counts the compressions that begin from now on. */
function countCompressions(t: TestContext): () => number {
  let begun = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'ZLIB') begun += 1;
    },
  }).enable();
  t.after(() => hook.disable());
  return () => begun;
}

describe('what every client gets alike', () => {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua();
  });
  after(() => janua[Symbol.asyncDispose]());

  const ask = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    janua.app.inject({ method, url, headers });

  for (const [accepted, coding] of [
    [undefined, 'none'],
    ['', 'none'],
    ['identity', 'none'],
    ['deflate, zstd', 'none'],
    ['gzip', 'gzip'],
    ['GZIP ; q=0.5', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0, gzip;q=0.001', 'gzip'],
    ['br; q=0.000, gzip ;q=0', 'none'],
    ['brx, xgzip', 'none'],
    ['*', 'none'],
  ] as const)
    test(`is sent ${coding === 'none' ? 'as it is' : `in ${coding}`} to a client that accepts ${accepted}`, async () => {
      for (const url of files) {
        const plain = await ask(url);
        const headers = accepted === undefined ? {} : { 'accept-encoding': accepted };
        const answer = await ask(url, headers);
        assert.equal(answer.statusCode, 200, url);
        assert.equal(answer.headers['content-encoding'] ?? 'none', coding, url);
        assert.deepEqual(decode[coding](answer.rawPayload), plain.rawPayload, url);
        assert.equal(answer.headers['content-length'], String(answer.rawPayload.length), url);
        assert.equal(answer.headers['content-type'], plain.headers['content-type'], url);
        assert.match(String(answer.headers.vary), /\bAccept-Encoding\b/, url);
        if (coding !== 'none') assert.ok(answer.rawPayload.length < plain.rawPayload.length, url);
        const head = await ask(url, headers, 'HEAD');
        const { date: _date, 'x-request-id': _id, ...expected } = answer.headers;
        const { date: _headDate, 'x-request-id': _headId, ...actual } = head.headers;
        assert.deepEqual([head.statusCode, actual, head.rawPayload.length], [200, expected, 0], url);
      }
    });

  test('is not sent again to a client that has it, in the coding that it accepts', async () => {
    for (const url of files)
      for (const coding of ['identity', 'gzip', 'br']) {
        const headers = { 'accept-encoding': coding };
        const { etag } = (await ask(url, headers)).headers;
        assert.match(String(etag), /^"[\w-]+"$/, url);
        for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
          for (const method of ['GET', 'HEAD'] as const) {
            const again = await ask(url, { ...headers, 'if-none-match': String(known) }, method);
            assert.deepEqual([again.statusCode, again.body, again.headers.etag], [304, '', etag], `${url} ${known}`);
            assert.equal(again.headers['content-encoding'], undefined);
          }
        assert.equal((await ask(url, { ...headers, 'if-none-match': '"other"' })).statusCode, 200, url);
        const others = ['identity', 'gzip', 'br'].filter((other) => other !== coding);
        for (const other of others)
          assert.equal((await ask(url, { 'accept-encoding': other, 'if-none-match': String(etag) })).statusCode, 200);
      }
  });

  test('is compressed once for each coding, however many ask at once', async (t) => {
    await using fresh = await startJanua();
    const compressions = countCompressions(t);
    for (let round = 0; round < 3; round += 1)
      await Promise.all(
        files.flatMap((url) =>
          ['gzip', 'br', 'br, gzip'].map((accepted) => fresh.get(url, { 'accept-encoding': accepted })),
        ),
      );
    assert.equal(compressions(), 2 * files.length);
  });

  test('no answer about a user, and no error, is compressed', async (t) => {
    const { cookie } = await janua.logIn();
    const compressions = countCompressions(t);
    for (const url of [
      '/',
      '/auth/login',
      '/auth/home',
      '/admin/me',
      '/api/me',
      '/account',
      '/docs',
      '/health/live',
      '/nothing',
    ])
      for (const headers of [{}, cookie]) {
        const answer = await ask(url, { ...headers, 'accept-encoding': 'gzip, br' });
        assert.equal(answer.headers['content-encoding'], undefined, url);
      }
    assert.equal(compressions(), 0);
  });

  test('the OpenAPI document is made once', async (t) => {
    await using fresh = await startJanua();
    await fresh.app.ready();
    const made = t.mock.method(fresh.app, 'swagger');
    for (const accepted of ['identity', 'br', 'gzip', 'br'])
      for (const method of ['GET', 'HEAD'] as const)
        await fresh.app.inject({ method, url: '/openapi.json', headers: { 'accept-encoding': accepted } });
    assert.equal(made.mock.callCount(), 1);
  });
});

test('a theme that changes is read and compressed again, once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'janua-theme-'));
  t.after(() => rm(folder, { recursive: true }));
  const themeFile = join(folder, 'theme.css');
  await writeFile(themeFile, ':root { --accent: red }');
  await using server = await startServer({ themeFile });
  const compressions = countCompressions(t);
  const ask = () => server.get('/assets/theme.css', { 'accept-encoding': 'br' });
  const [first] = [await ask(), await ask()];
  await appendFile(themeFile, 'a { color: red }');
  const [second] = [await ask(), await ask()];
  assert.equal(compressions(), 2);
  assert.equal(brotliDecompressSync(second.rawPayload).toString(), ':root { --accent: red }a { color: red }');
  assert.notEqual(second.headers.etag, first.headers.etag);
  await rm(themeFile);
  assert.equal((await ask()).statusCode, 404);
});
