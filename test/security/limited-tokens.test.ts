import assert from 'node:assert/strict';
import { test } from 'node:test';
import { provedBy } from '../../src/core/users/held.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { rows, type Tables } from '../../src/ground/database/schema.ts';
import { ann, password, startJanua } from '../janua.ts';
import { json } from '../web/faces.ts';

/** Routes that take no credential, or end the session that is presented. */
const open = new Set([
  ...['/api/login', '/api/logout', '/api/passkey', '/api/passkey/options', '/api/second-factor'],
  ...[
    '/api/second-factor/options',
    '/api/forgot-password',
    '/api/reset-password',
    '/api/sign-up',
    '/api/sign-up/finish',
    '/api/join',
  ],
  ...['/api/confirm-email', '/api/enrol-factor', '/api/enrol-factor/begin', '/api/first-administrator'],
]);

/** Change with each request, or tell what was refused. */
const passing: readonly string[] = ['janua_audit', 'janua_leases', 'janua_times', 'janua_counts', 'janua_failures'];

test('a token without scopes writes nothing, at any route that takes one', async () => {
  await using janua = await startJanua({ settings: { SIGN_UP: 'on' } });
  const { app, services } = janua;
  const account = await janua.account();
  const personal = await services.hold(provedBy(account), (held) =>
    services.personalTokens.create(held, { name: 'report', scopes: [], days: 9 }),
  );
  // Notes its use at most once a minute.
  const tokens = { personal: personal.token, session: '' };
  const narrowed = await janua.post('/api/login', { username: ann.username, password: password, scope: 'nothing' });
  tokens.session = narrowed.json().access_token ?? '';
  const { paths } = (await janua.get('/openapi.json')).json();
  const routes = Object.keys(paths).filter((path) => path.startsWith('/api/') && paths[path].post && !open.has(path));
  assert.ok(routes.length > 40, String(routes.length));
  await janua.logIn();

  async function stored() {
    const tables = (Object.keys(rows) as (keyof Tables)[]).filter((table) => !passing.includes(table));
    const found = tables.map(async (table) => [
      table,
      (await sql`select * from ${sql.table(table)}`.execute(services.database)).rows.map((row) => ({
        ...(row as object),
        last_used_at: null,
        last_used_address: null,
        last_seen_at: null,
        expires_at: null,
      })),
    ]);
    return Promise.all(found);
  }

  for (const [kind, token] of Object.entries(tokens)) {
    assert.notEqual(token, '', kind);
    const before = await stored();
    for (const path of routes) {
      const url = path.replaceAll(/\{\w+\}/g, account.user.id);
      const fields = { language: 'de', first_name: 'Eve', last_name: 'Evans', id: account.user.id, name: 'x' };
      const sent = json(fields);
      const headers = { ...sent.headers, authorization: `Bearer ${token}` };
      const answer = await app.inject({ method: 'POST', url, ...sent, headers });
      assert.equal(answer.statusCode, 403, `${kind}: ${path}: ${answer.body}`);
    }
    assert.deepEqual(await stored(), before, kind);
  }
});
