import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { stampOf } from '../../../src/core/users/account.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';

const ada = 'ada@example.com';
const stores = { users: 'SQLite', sessions: 'SQL', ownTable: true } as const;

/** Makes Ada an administrator, and gives her session and the id of another user. */
async function signInAda(janua: TestJanua, person: string) {
  const { services } = janua;
  await services.administration.setGroups(ada, [admins]);
  const account = await janua.account(ada);
  const owner = { userId: account.user.id, stamp: stampOf(account) };
  const { cookie } = await services.sessions.start(owner, { methods: ['pwd'] });
  const { user } = (await services.users.adoptByUsername(person)) ?? assert.fail(person);
  return { headers: { cookie: `session=${cookie}` }, id: user.id };
}

test('an action on a user leads back to the page of the user, whatever characters the id has', async () => {
  const folder = createTemporaryFolder('own-table');
  try {
    const url = `sqlite:${join(folder.path, 'team.db')}`;
    await using team = await openTestDatabase(url);
    await sql`create table staff (id text primary key, email text collate nocase unique, secret text)`.execute(
      team.database,
    );
    await sql`insert into staff values ('1', ${ada}, 'none'), ('a/b?x#y', 'bob@example.com', 'none')`.execute(
      team.database,
    );
    const table = { USERS_TABLE: 'staff', USERS_COLUMNS: 'id=id,username=email,password=secret' };
    await using janua = await startJanua({ stores, settings: { ...table, DATABASE_URL: url } });
    const { headers, id } = await signInAda(janua, 'bob@example.com');
    // As an account of version 0.2 has the key of the row for its id.
    await sql`update janua_users set id = source_key where id = ${id}`.execute(team.database);
    const path = '/admin/users/a%2Fb%3Fx%23y';
    const answer = await janua.post(`${path}/end-sessions`, {}, headers);
    assert.deepEqual([answer.statusCode, answer.headers.location], [303, `${path}?state=end-sessions`]);
    assert.equal((await janua.get(path, headers)).statusCode, 200);
  } finally {
    folder.remove();
  }
});

test('a user who is given the id of another one has a page of their own, without the events of the former one', async () => {
  await using janua = await startJanua({ stores });
  const { people, services } = janua;
  await people.add({ ...ann, username: ada, password });
  const { headers, id } = await signInAda(janua, ann.username);
  const open = (of: string) => janua.get(`/api/admin/users/${of}`, headers);
  await janua.logIn();
  assert.ok((await open(id)).json().events.length > 0);
  await using direct = await openTestDatabase(janua.databaseUrl);
  await sql`update people set email = 'eve@example.com' where email = ${ann.username}`.execute(direct.database);
  // SQLite reads for all requests of a turn of the event loop at once.
  await setImmediate();
  assert.equal((await open(id)).statusCode, 404);
  const { user: eve } = (await services.users.adoptByUsername('eve@example.com')) ?? assert.fail();
  assert.notEqual(eve.id, id);
  assert.deepEqual((await open(eve.id)).json().events, []);
});

test('the audit of a name leaves out what a former user of the id of version 0.2 did', async () => {
  await using janua = await startJanua({ stores });
  const { people } = janua;
  await people.add({ ...ann, username: ada, password });
  const { headers, id } = await signInAda(janua, ann.username);
  await using direct = await openTestDatabase(janua.databaseUrl);
  await sql`update janua_users set id = source_key where id = ${id}`.execute(direct.database);
  await setImmediate();
  await janua.logIn();
  const find = async () => {
    await setImmediate();
    const { events } = (await janua.get(`/api/admin/audit?user=${ann.username}`, headers)).json();
    return (events as { kind: string }[]).filter(({ kind }) => kind === 'login-succeeded').length;
  };
  assert.equal(await find(), 1);
  await sql`update janua_users set created_at = ${Date.now() + 60_000} where id = source_key`.execute(direct.database);
  assert.equal(await find(), 0);
});
