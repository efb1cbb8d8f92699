import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';
import { logIn } from '../../web/faces.ts';

for (const rehash of ['on', 'off'] as const)
  test(`with PASSWORD_REHASH=${rehash} the sessions of a team's own user ${rehash === 'on' ? 'come with' : 'lack'} the advice to change the password`, async () => {
    await using janua = await startJanua({
      stores: { users: 'SQLite', sessions: 'SQL', ownTable: true },
      settings: { PASSWORD_REHASH: rehash },
    });
    const { cookie } = await logIn(janua.app);
    const { body } = await janua.app.inject({ url: '/account/sessions', headers: cookie });
    assert.match(body, /end it/);
    assert.equal(body.includes('change your password'), rehash === 'on');
  });
