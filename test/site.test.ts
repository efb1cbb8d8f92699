import assert from 'node:assert/strict';
import { glob } from 'node:fs/promises';
import { test } from 'node:test';
import type { Settings } from '../src/ground/config/settings.ts';
import { capabilities, events } from '../src/site.ts';
import { needsCredentials, readDocument } from './fuzz/document.ts';
import { ann, password, startJanua } from './janua.ts';

const settings: Partial<Settings> = {
  SIGN_UP: 'on',
  HANDLES: 'users',
  ADMINISTRATORS: [ann.username],
  UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
  FORWARD_AUTH_ORIGINS: ['https://app.example.com'],
};

const start = (listed: readonly (typeof capabilities)[number][]) =>
  startJanua({ settings, overrides: { capabilities: listed } });

async function routesOf({ app }: Pick<Awaited<ReturnType<typeof start>>, 'app'>) {
  const { document } = await readDocument(app);
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      key: `${method.toUpperCase()} ${path}`,
      path,
      method,
      operation,
    })),
  );
}

test('every kind of event that a room describes is known to the audit', async () => {
  const src = new URL('../src/', import.meta.url);
  const files = await Array.fromAsync(glob('**/events.ts', { cwd: src }));
  assert.ok(files.length > 10);
  for (const file of files)
    for (const kind of Object.keys((await import(new URL(file, src).href)).events ?? {}))
      assert.ok(kind in events, `${kind} of ${file}`);
});

const whole = await start(capabilities);
const all = new Set((await routesOf(whole)).map(({ key }) => key));
await whole[Symbol.asyncDispose]();

for (const left of capabilities.filter(({ name }) => name !== 'sign-in'))
  test(`a server without the capability ${left.name} signs in, answers the routes of the others, and cleans up`, async () => {
    await using janua = await start(capabilities.filter((capability) => capability !== left));
    const { app, services } = janua;
    const routes = await routesOf(janua);
    const present = new Set(routes.map(({ key }) => key));
    const gone = [...all].filter((key) => !present.has(key));
    assert.equal(gone.length > 0, 'addRoutes' in left, 'its routes are gone, if it has any');
    assert.deepEqual(
      [...present].filter((key) => !all.has(key)),
      [],
    );

    const payload = new URLSearchParams({ username: ann.username, password }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const login = await app.inject({ method: 'POST', url: '/api/login', payload, headers });
    assert.equal(login.statusCode, 200);
    const authorization = `Bearer ${login.json().access_token}`;

    for (const key of gone) {
      const [method = '', path = ''] = key.split(' ');
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      const { statusCode } = await app.inject({ method: method as 'GET', url, headers: { authorization } });
      assert.ok([404, 405].includes(statusCode), `${key}: ${statusCode}`);
    }
    for (const { key, path, operation } of routes.filter(({ method }) => method === 'get')) {
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      for (const format of ['text/html', 'application/json']) {
        const sent = { 'x-expected-format': format, ...(needsCredentials(operation) && { authorization }) };
        const { statusCode, body } = await janua.get(url, sent);
        assert.ok(statusCode < 500, `${key}: ${statusCode} ${body}`);
      }
    }
    await services.clean();
    const logout = await janua.post('/api/logout', undefined, { authorization });
    assert.equal(logout.statusCode, 200);
  });
