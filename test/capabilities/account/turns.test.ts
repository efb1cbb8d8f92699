import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { accountPages } from '../../../src/web/action.ts';
import { startJanua } from '../../janua.ts';
import { signInAs, signInWith } from '../admin/administrator.ts';

test('pages that list what an account has take turns, and hold up no other account', async () => {
  await using janua = await startJanua();
  const { sessions } = janua.services;
  const [flooding, other] = [await signInWith(janua, 'users:read'), await signInAs(janua, ['admins'])];
  const listOf = sessions.listOf.bind(sessions);
  let [reading, most] = [0, 0];
  mock.method(sessions, 'listOf', async (...asked: Parameters<typeof listOf>) => {
    reading += 1;
    most = Math.max(most, reading);
    const found = await listOf(...asked);
    // As a store that answers later.
    await setImmediate();
    reading -= 1;
    return found;
  });
  const ended: string[] = [];
  const ask = async (path: string, name: string, headers: typeof other) => {
    const { statusCode } = await janua.get(path, headers);
    ended.push(name);
    return statusCode;
  };
  const paths = ['/api/account', '/api/account/sessions', '/api/account/applications'];
  const flood = Array.from({ length: 60 }, (_, index) => ask(paths[index % 3] ?? '', 'flood', flooding));
  assert.equal(await ask('/api/account/sessions', 'other', other), 200);
  assert.deepEqual([...new Set(await Promise.all(flood))], [200]);
  assert.equal(most, 2, 'one of each account');
  assert.ok(ended.indexOf('other') < 10, `${ended.indexOf('other')} pages of the flood came first`);
});

test('the accounts of one network hold up no account of another one', async () => {
  await using janua = await startJanua();
  const { sessions } = janua.services;
  const gate = Promise.withResolvers<void>();
  const listOf = sessions.listOf.bind(sessions);
  mock.method(sessions, 'listOf', async (...asked: Parameters<typeof listOf>) => {
    await gate.promise;
    return listOf(...asked);
  });
  const ended: string[] = [];
  const ask = async (name: string, headers: { cookie: string }, from: string) => {
    const { statusCode } = await janua.get('/api/account/sessions', headers, from);
    ended.push(name);
    return statusCode;
  };
  const many: Promise<number>[] = [];
  for (let number = 0; number < 40; number += 1) {
    const headers = await signInWith(janua, 'users:read');
    many.push(ask('one of many', headers, `198.51.100.7`));
  }
  const other = ask('other', await signInAs(janua, ['admins']), '203.0.113.9');
  gate.resolve();
  assert.deepEqual([...new Set(await Promise.all([...many, other]))], [200]);
  assert.ok(ended.indexOf('other') < 2 * accountPages.atOnce, `${ended.indexOf('other')} pages came first`);
});
