import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import Fastify from 'fastify';
import { notAuthenticated } from '../src/core/access/access.ts';
import { Refusal } from '../src/core/access/refusal.ts';
import type { Session } from '../src/core/sessions/sessions.ts';
import { Unavailable } from '../src/ground/faults/unavailable.ts';
import { createPlugin } from '../src/plugin.ts';
import { siteOptions } from './web/server.ts';

const ann = { id: '1', username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer', groups: [] };

test("the plugin looks up the user once for a request, on our routes and on the app's", async () => {
  let asked = 0;
  const requireSignedIn = async () => {
    asked++;
    return { user: ann, scopes: [], limited: false, session: {} as Session };
  };
  const app = Fastify();
  await app.register(createPlugin(siteOptions({ requireSignedIn }), async () => {}));
  app.get('/own', { config: { signedIn: true } }, async ({ user }) => user.firstName);
  for (const [index, url] of ['/api/me', '/auth/home', '/own'].entries()) {
    assert.equal((await app.inject(url)).statusCode, 200);
    assert.equal(asked, index + 1, url);
  }
});

test('docs/library.md lists exactly the names that Janua adds to requests and replies', async ({ mock }) => {
  const page = await readFile(new URL('../docs/library.md', import.meta.url), 'utf8');
  const app = Fastify();
  const added = {
    'to requests': mock.method(app, 'decorateRequest'),
    'to replies': mock.method(app, 'decorateReply'),
  };
  await app.register(createPlugin(siteOptions(), async () => {}));
  for (const [row, { mock: spy }] of Object.entries(added)) {
    const [, listed = ''] = new RegExp(`^\\| ${row} \\| (.*) \\|$`, 'm').exec(page) ?? [];
    const names = spy.calls.map((call) => `\`${String(call.arguments[0])}\``);
    assert.deepEqual(listed.split(', ').sort(), names.sort());
  }
});

test('signedIn guards a route even if a hook of the app sets it', async () => {
  const requireSignedIn = () => Promise.reject(new Refusal(notAuthenticated));
  const app = Fastify();
  await app.register(createPlugin(siteOptions({ requireSignedIn }), async () => {}));
  await app.register(async (members) => {
    members.addHook('onRoute', (route) => {
      route.config = { ...route.config, signedIn: true };
    });
    members.get('/members', async () => assert.fail('the handler must not run'));
  });
  app.get('/late', async () => 'open');
  assert.equal((await app.inject('/late')).statusCode, 200);
  for (const method of ['GET', 'HEAD'] as const) {
    assert.equal((await app.inject({ method, url: '/members' })).statusCode, 303);
    assert.equal((await app.inject({ method, url: '/%6dembers' })).statusCode, 303);
  }
});

test("Janua answers a failed look-up itself, without the cause and without the app's error handler", async () => {
  for (const [fault, status] of [
    [new Unavailable('The database', 5, new Error('canary')), 503],
    [new Error('canary'), 500],
  ] as const) {
    const app = Fastify();
    app.setErrorHandler(() => assert.fail("the app's error handler must not run"));
    await app.register(createPlugin(siteOptions({ requireSignedIn: () => Promise.reject(fault) }), async () => {}));
    app.get('/own', { config: { signedIn: true } }, async () => assert.fail('the handler must not run'));
    const answer = await app.inject('/own');
    assert.equal(answer.statusCode, status);
    assert.equal(answer.headers['retry-after'], status === 503 ? '5' : undefined);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    assert.doesNotMatch(answer.body, /canary/);
  }
});
