import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
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
