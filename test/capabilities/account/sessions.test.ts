import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';
import { signInWith } from '../admin/administrator.ts';

for (const rehash of ['on', 'off'] as const)
  test(`with PASSWORD_REHASH=${rehash} the sessions of a team's own user ${rehash === 'on' ? 'come with' : 'lack'} the advice to change the password`, async () => {
    await using janua = await startJanua({
      stores: { users: 'SQLite', sessions: 'SQL', ownTable: true },
      settings: { PASSWORD_REHASH: rehash },
    });
    const { cookie } = await janua.logIn();
    const { body } = await janua.get('/account/sessions', cookie);
    assert.match(body, /end it/);
    assert.equal(body.includes('change your password'), rehash === 'on');
  });

test('an administrator who may end any session ends none of another user among their own', async () => {
  await using janua = await startJanua();
  const { cookie } = await janua.logIn();
  const id = cookie.cookie.slice('session='.length).split('.')[0] ?? '';
  const headers = await signInWith(janua, 'sessions:write', 'users:write');
  const answer = await janua.post('/api/account/sessions/end', { id }, headers);
  assert.equal(answer.statusCode, 404);
  assert.ok(await janua.isSignedIn(cookie));
});
