import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as openid from 'openid-client';
import { ann, password } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import type { StoreChoice } from '../stores.ts';
import { openProvider, requireAnswer } from './application.ts';

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[]) {
  const table = 'ownTable' in stores ? "a team's own table in " : '';
  describe(`the provider, users in ${table}${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('signs a user in to an application, who logs in on the way', async () => {
      await using server = await openProvider({ stores });
      const app = await server.addApplication();
      const browser = await server.browser(false);
      const begun = await app.begin();
      const page = await browser.open(begun.address);
      assert.match(page.url.pathname, /^\/auth\/login/);
      const next = page.url.searchParams.get('next') ?? '';
      const answer = await browser.submit('/auth/token', { username: ann.username, password, next });
      const tokens = await app.finish(begun, requireAnswer(answer));
      const claims = tokens.claims();
      assert.equal(claims?.email, ann.username);
      assert.deepEqual(claims?.amr, ['pwd']);
      assert.equal(claims?.acr, 'urn:janua:1fa');
      assert.notEqual(claims?.sub, ann.username);
      const info = await openid.fetchUserInfo(app.config, tokens.access_token, claims?.sub ?? '');
      assert.equal(info.name, 'Ann Archer');
      assert.equal(info.preferred_username, ann.username);
    });
  });
}
