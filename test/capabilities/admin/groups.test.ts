import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { provedBy } from '../../../src/core/users/held.ts';
import { admins, ownScopes } from '../../../src/core/users/scopes.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import type { SentHeaders } from '../../client.ts';
import { ann, startJanua } from '../../janua.ts';
import { signInAs, signInWith } from './administrator.ts';

async function open(...scopes: string[]) {
  const janua = await startJanua({ settings: { SCOPES: ['reports:read'] } });
  const headers = await (scopes.length === 0 ? signInAs(janua, [admins]) : signInWith(janua, ...scopes));
  const list = async () => (await janua.get('/api/admin/groups', headers)).json();
  const change = (path: string, fields: object) => janua.post(`/api/admin/groups${path}`, fields, headers);
  const find = async (name: string) =>
    (await list()).groups.find((group: { readonly name: string }) => group.name === name);
  return { ...janua, headers, list, find, change };
}

const everything = [...Object.keys(ownScopes), 'reports:read'];

describe('the groups', () => {
  test('are made, changed and removed, and each change names the administrator', async () => {
    await using janua = await open();
    assert.deepEqual((await janua.find(admins)).scopes, Object.keys(ownScopes));
    assert.deepEqual((await janua.list()).scopes, everything);
    const staff = { name: 'staff', scopes: ['users:read', 'reports:read'], description: 'All employees' };
    const added = await janua.change('', staff);
    assert.deepEqual([added.statusCode, added.json()], [201, { name: 'staff' }]);
    assert.deepEqual(await janua.find('staff'), {
      ...{ ...staff, scopes: ['reports:read', 'users:read'], members: 0 },
      ...{ rules: [], clients: [], more_clients: 0, held: true, second_factor: false, unknown_scopes: [], claims: {} },
    });
    for (const demanded of [true, false]) {
      assert.equal((await janua.change('/second-factor', { name: 'staff', demanded })).statusCode, 200);
      assert.equal((await janua.find('staff')).second_factor, demanded);
      const page = await janua.get('/admin/groups', janua.headers);
      assert.equal(page.body.includes('Its users need a second factor'), demanded);
    }

    await janua.services.administration.changeGroups(ann.username, { add: ['staff'] });
    assert.equal((await janua.change('/scopes', { name: 'staff', scopes: ['reports:read'] })).statusCode, 200);
    assert.deepEqual((await janua.account()).scopes, ['reports:read']);
    // The same again is no change.
    assert.equal((await janua.change('/scopes', { name: 'staff', scopes: ['reports:read'] })).statusCode, 200);
    const page = await janua.get('/admin/groups', janua.headers);
    assert.match(page.body, /href="\/admin\/users\?group=staff">1 user</);

    assert.equal((await janua.change('/remove', { name: 'staff' })).statusCode, 200);
    assert.equal(await janua.find('staff'), undefined);
    assert.deepEqual((await janua.account()).scopes, []);
    for (const [kind, about] of [
      ['group-added', 'staff'],
      ['group-changed', 'staff reports:read'],
      ['group-factor-demanded', 'staff'],
      ['group-factor-optional', 'staff'],
      ['group-removed', 'staff'],
    ] as const) {
      const events = await janua.events({ kind });
      assert.deepEqual(
        events.map((event) => [event.about, event.actorId !== undefined, event.count]),
        [[about, true, kind === 'group-changed' || kind === 'group-removed' ? 1 : undefined]],
        kind,
      );
    }
  });

  test('have no form for what a group grants where nothing of that can be changed', async () => {
    for (const [settings, forms] of [
      [{ SCOPES: ['reports:read'] }, [1, 1]],
      [{}, [0, 1]],
      [{ SECOND_FACTOR: 'off' }, [0, 1]],
    ] as const) {
      await using janua = await startJanua({ settings });
      const { body } = await janua.get('/admin/groups', await signInAs(janua, [admins]));
      const countOf = (text: string) => body.split(text).length - 1;
      assert.deepEqual([countOf('action="/admin/groups/scopes"'), countOf('<summary aria-label="Change')], forms);
    }
  });

  test('cannot be changed by those who have fewer scopes, before or after, or are not in them', async () => {
    await using janua = await open('users:read', 'users:write');
    const { groups } = janua.services;
    await groups.add({ name: 'auditors', description: '', scopes: ['audit:read'] });
    await groups.add({ name: 'plain', description: '', scopes: [] });
    for (const name of ['auditors', admins]) await groups.setSecondFactor(name, true);
    for (const [path, payload] of [
      ['', { name: 'more', scopes: ['audit:read'] }],
      ['/scopes', { name: 'auditors', scopes: [] }],
      ['/scopes', { name: admins, scopes: [] }],
      ['/second-factor', { name: 'auditors', demanded: false }],
      ['/second-factor', { name: admins, demanded: false }],
      ['/second-factor', { name: 'plain', demanded: true }],
      ['/remove', { name: 'auditors' }],
      ['/remove', { name: admins }],
      ['/scopes', { name: 'plain', scopes: [] }],
      ['/remove', { name: 'plain' }],
    ] as const) {
      const answer = await janua.change(path, payload);
      assert.deepEqual([answer.statusCode, answer.json().error], [403, 'insufficient_scope'], path + payload.name);
    }
    assert.deepEqual((await janua.find('auditors')).scopes, ['audit:read']);
    for (const name of ['auditors', admins]) assert.equal((await janua.find(name)).second_factor, true, name);
    assert.equal((await janua.change('', { name: 'less', scopes: ['users:read'] })).statusCode, 201);
  });

  test('refuse a name, a scope or a description that cannot be, and a group that is not there', async () => {
    await using janua = await open(...everything);
    for (const [path, payload, status] of [
      ['', {}, 422],
      ['', { name: 'Staff' }, 422],
      ['', { name: 'a'.repeat(64) }, 422],
      ['', { name: 'staff', description: 'a\0' }, 422],
      ['', { name: 'staff', description: 'x'.repeat(201) }, 422],
      ['', { name: admins }, 422],
      ['/scopes', { name: admins }, 422],
      ['/scopes', { name: 'unknown', scopes: [] }, 404],
      ['/second-factor', { name: 'unknown', demanded: true }, 404],
      ['/second-factor', { name: admins }, 422],
      ['/second-factor', { name: admins, demanded: 'yes' }, 422],
      ['/remove', { name: 'unknown' }, 404],
      ['/remove', { name: 'a\0' }, 422],
      ['/remove', { name: '\ud800' }, 422],
    ] as const)
      assert.equal((await janua.change(path, payload)).statusCode, status, path + JSON.stringify(payload));
    assert.equal((await janua.change('', { name: 'other', scopes: ['a:b'] })).statusCode, 403);
    const refused = await janua.post('/admin/groups', { name: admins, scopes: [] }, janua.headers);
    assert.match(refused.body, /id="name-error">There is a group of this name already/);
    const typed = { name: 'Staff!', description: 'All "employees"', scopes: ['audit:read', 'reports:read'] };
    const page = await janua.post('/admin/groups', typed, janua.headers);
    assert.equal(page.statusCode, 422);
    assert.match(page.body, /id="name-error">Small letters/);
    for (const value of ['Staff!', 'All &quot;employees&quot;'])
      assert.match(page.body, new RegExp(`<input [^>]*value="${value}"`));
    const shown = page.body.slice(page.body.indexOf('action="/admin/groups"'));
    assert.deepEqual(
      Array.from(shown.matchAll(/value="([^"]*)" checked/g), ([, scope]) => scope),
      ['audit:read', 'reports:read'],
    );
  });

  test('want a fresh proof of identity', async () => {
    await using janua = await open(...everything);
    const account = await janua.account('group-1@example.com');
    const { token } = await janua.services.hold(provedBy(account), (held) =>
      janua.services.personalTokens.create(held, { name: 'x', scopes: everything, days: 1 }),
    );
    await janua.services.groups.add({ name: 'old', description: '', scopes: [] });
    for (const path of ['', '/scopes', '/remove']) {
      const answer = await janua.post(
        `/api/admin/groups${path}`,
        { name: path === '' ? 'new' : 'old', scopes: [] },
        { authorization: `Bearer ${token}` },
      );
      assert.deepEqual([answer.statusCode, answer.json().error], [401, 'insufficient_user_authentication'], path);
    }
  });

  test('demand a second factor, or no longer do, only in a session that has proved one', async () => {
    await using janua = await open(...everything);
    const { groups, sessions } = janua.services;
    await groups.add({ name: 'strict', description: '', scopes: [] });
    const account = await janua.account('group-1@example.com');
    const { accessToken, cookie } = await sessions.start(provedBy(account), { methods: ['pwd'] });
    for (const demanded of [true, false]) {
      const answer = await janua.post(
        '/api/admin/groups/second-factor',
        { name: 'strict', demanded },
        { authorization: `Bearer ${accessToken}` },
      );
      assert.deepEqual([answer.statusCode, answer.json().error], [403, 'second_factor_missing']);
    }
    const headers = { cookie: `session=${cookie}` };
    const led = await janua.post('/admin/groups/second-factor', { name: 'strict', demanded: 'true' }, headers);
    assert.equal(led.headers.location, '/account/security?state=7&next=%2Fadmin%2Fgroups%3Funsent%3D1');
    const { body } = await janua.get(led.headers.location, headers);
    assert.match(body, /This step needs a second factor/);
    const [, next = ''] = /name="next" value="([^"]*)"/.exec(body) ?? [];
    const list = (await janua.get(next, headers)).body;
    assert.match(list, /<article>\s*<p class="message" role="status">Nothing was sent or changed yet/);
    assert.equal(list.match(/Nothing was sent/g)?.length, 1);
    assert.match(body, /<a href="\/auth\/home">Go to the home page</);
    await janua.services.administration.changeGroups(account.user.username, { add: ['strict'] });
    await groups.setSecondFactor('strict', true);
    const remove = (url: string, headers: SentHeaders) => janua.post(url, { name: 'strict' }, headers);
    const refused = await remove('/api/admin/groups/remove', { authorization: `Bearer ${accessToken}` });
    assert.equal(refused.statusCode, 409);
    assert.match(refused.json().detail, /^The group demands a second factor/);
    const page = await remove('/admin/groups/remove', { ...janua.headers, 'accept-language': 'de' });
    assert.match(page.body, /Heben Sie das auf, bevor Sie die Gruppe entfernen/);
    assert.equal((await janua.find('strict')).second_factor, true, 'a group made anew would demand none');
  });

  test('show no forms to those who may only read', async () => {
    await using janua = await open('users:read');
    const { body } = await janua.get('/admin/groups', janua.headers);
    assert.match(body, /Administrators of Janua/);
    assert.doesNotMatch(body, /action="\/admin\/groups/);
  });
});

test('the list of groups counts the members of each up to 100,000', async () => {
  await using janua = await open();
  const { database, groups } = janua.services;
  await groups.add({ name: 'staff', description: '', scopes: [] });
  await sql`insert into janua_memberships (id, group_name, user_id, username)
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 100_000)
    select n, 'staff', n, '' from numbers`.execute(database);
  const show = async () => (await janua.get('/admin/groups', janua.headers)).body;
  assert.equal((await janua.find('staff')).members, 100_000);
  assert.match(await show(), />100,000 users</);
  await sql`insert into janua_memberships values ('x', 'staff', 'x', '')`.execute(database);
  assert.equal((await janua.find('staff')).members, null);
  const page = await show();
  assert.match(page, />More than 100,000 users</);
  assert.match(page, />&gt; 100,000 users are then no longer in it/);
  assert.equal((await janua.find(admins)).members, 1);
});

test('a form that is refused is read as its page is: one of each administrator at a time', async () => {
  await using janua = await open();
  const { groups } = janua.services;
  let reading = 0;
  const list = groups.list.bind(groups);
  mock.method(groups, 'list', async (...asked: Parameters<typeof list>) => {
    reading += 1;
    assert.equal(reading, 1);
    const page = await list(...asked);
    await setImmediate();
    reading -= 1;
    return page;
  });
  const send = () => janua.post('/admin/groups', { name: 'Staff!' }, janua.headers);
  const answers = await Promise.all(Array.from({ length: 20 }, send));
  for (const { statusCode } of answers) assert.equal(statusCode, 422);
});
