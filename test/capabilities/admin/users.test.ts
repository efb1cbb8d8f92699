import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { admins, type ownScopes } from '../../../src/core/users/scopes.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { type SentHeaders, withHeaders } from '../../client.ts';
import { queueOf } from '../../core/mail/post-office.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { sessionCookie } from '../../web/faces.ts';
import { addApp } from '../second-factor/authenticator-app.ts';
import { signInAs, signInWith } from './administrator.ts';

type Scope = keyof typeof ownScopes;

const everything: Scope[] = ['users:read', 'users:write', 'sessions:write', 'audit:read'];

/** @param scopes of the administrator. Default: a member of `admins` */
async function open(scopes?: Scope[], overrides = {}, further = {}) {
  const settings = { PUBLIC_URL: 'http://localhost:5000', SIGN_UP: 'off', ...further } as const;
  const janua = await startJanua({ settings, overrides });
  const { services } = janua;
  const headers = await (scopes ? signInWith(janua, ...scopes) : signInAs(janua, [admins]));
  const idOf = async (username: string) => (await services.users.findByUsername(username))?.user.id ?? '';
  return {
    ...janua,
    headers,
    idOf,
    annId: await idOf(ann.username),
    admin: withHeaders(janua, headers),
    eventsOf: (kind: string) => janua.events({ order: 'newest-first', kind }),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

describe('the page of a user', () => {
  test('shows the user, the sessions and the last events, and what can be done, and no hash', async () => {
    await using janua = await open();
    const { annId } = janua;
    const { get } = janua.admin;
    await janua.logIn();
    const user = (await get(`/api/admin/users/${annId}`)).json();
    assert.deepEqual(
      [user.username, user.first_name, user.last_name, user.disabled, user.groups, user.factors],
      [ann.username, ann.firstName, ann.lastName, false, [], []],
    );
    assert.ok(Date.now() - Date.parse(user.last_login_at) < 60_000);
    assert.equal(user.sessions.length, 1);
    assert.equal(user.events[0].kind, 'login-succeeded');
    assert.match(user.events[0].decision, /The user logged in/);
    assert.deepEqual(user.actions, [
      ...['name', 'handle', 'offer-email', 'set-email', 'disable', 'end-sessions', 'lift'],
      ...['send-reset', 'groups', 'claims', 'verify', 'delete'],
    ]);
    assert.deepEqual([user.email_verified, user.verification], [false, null]);
    const page = (await get(`/admin/users/${annId}`)).body;
    assert.match(page, /Ann Archer/);
    assert.match(page, new RegExp(`href="/admin/users/${annId}/end-sessions"`));
    assert.match(page, new RegExp(`href="/admin/users/${annId}/delete"`));
    assert.match((await get('/admin/users?q=ann')).body, new RegExp(`href="/admin/users/${annId}"`));
    const account = await janua.services.users.findById(annId);
    const hash = account?.passwordHash ?? assert.fail();
    for (const url of ['/api/admin/users', '/admin/users', `/api/admin/users/${annId}`, `/admin/users/${annId}`])
      assert.ok(!(await get(url)).body.includes(hash.slice(-20)), url);
  });

  test('offers nothing for a user who may do more, on no page', async () => {
    await using janua = await open(['users:read', 'users:write', 'sessions:write']);
    await janua.services.administration.changeGroups(ann.username, { add: [admins] });
    assert.deepEqual((await janua.admin.get(`/api/admin/users/${janua.annId}`)).json().actions, []);
    for (const [url, body] of [
      [`/api/admin/users/${janua.annId}/lift`, {}],
      ['/api/admin/throttle/lift', { user_id: janua.annId }],
    ] as const)
      assert.equal((await janua.admin.post(url, body)).statusCode, 403, url);
  });

  test('cannot take a user out of a group by a setting, nor put one in for good', async () => {
    await using janua = await startJanua({ settings: { ADMINISTRATORS: [ann.username] } });
    const { services } = janua;
    const account = await services.users.findByUsername(ann.username);
    assert.deepEqual(account?.user.groups, [admins]);
    await services.groups.add({ name: 'staff', description: '', scopes: [] });
    const { cookie } = await janua.logIn();
    await services.administration.changeGroups(ann.username, { add: ['staff'] });
    const { body } = await janua.get(`/admin/users/${account?.user.id}/groups`, cookie);
    assert.match(body, /value="staff" checked/);
    assert.match(body, /value="admins" checked disabled>/);
    const url = `/api/admin/users/${account?.user.id}/groups`;
    const change = (groups: string[]) => janua.post(url, { groups }, cookie);
    assert.equal((await change([])).statusCode, 409);
    assert.equal((await change(['staff', admins])).statusCode, 200);
    assert.deepEqual(await services.groups.namesOf(account?.user ?? assert.fail()), ['staff']);
  });

  test('offers what the scopes of the administrator allow', async () => {
    await using janua = await open(['users:read']);
    const user = (await janua.admin.get(`/api/admin/users/${janua.annId}`)).json();
    assert.deepEqual([user.actions, user.events], [[], []]);
    assert.equal((await janua.admin.post(`/api/admin/users/${janua.annId}/lift`)).statusCode, 403);
  });

  test('is missing for an id that no user has', async () => {
    await using janua = await open();
    const decodedTwice = `%25${janua.annId.charCodeAt(0).toString(16)}${janua.annId.slice(1)}`;
    for (const id of ['x', '%00', '..', 'x'.repeat(90), decodedTwice])
      for (const path of ['', '/disable', '/delete'])
        assert.equal((await janua.admin.get(`/api/admin/users/${id}${path}`)).statusCode, 404, id + path);
    assert.equal((await janua.admin.post('/api/admin/users/x/disable')).statusCode, 404);
  });
});

describe('an administrator', () => {
  test('disables a user, which ends the sessions, and enables the user again', async () => {
    await using janua = await open();
    const { annId, eventsOf, headers } = janua;
    const { post, get } = janua.admin;
    const { cookie } = await janua.logIn();
    assert.deepEqual((await post(`/api/admin/users/${annId}/disable`)).json(), { detail: 'User disabled' });
    assert.equal((await janua.get('/api/me', cookie)).statusCode, 401);
    assert.deepEqual((await get(`/api/admin/users/${annId}`)).json().disabled, true);
    assert.equal((await post(`/api/admin/users/${annId}/send-reset`)).statusCode, 409);
    const answer = await post(`/admin/users/${annId}/enable`);
    assert.equal(answer.headers.location, `/admin/users/${annId}?state=enable`);
    assert.match((await get(String(answer.headers.location))).body, /The user is enabled\./);
    await janua.logIn();
    const actor = (await janua.get('/api/account', headers)).json().username;
    const [event] = await eventsOf('user-disabled');
    assert.ok(event);
    assert.deepEqual([event.userId, event.actorId], [annId, await janua.idOf(actor)]);
  });

  test('ends sessions, lifts waits, and has a link mailed', async () => {
    await using janua = await open(undefined, {}, { THROTTLE: 'on' });
    const { annId, services, eventsOf } = janua;
    const { post } = janua.admin;
    const { cookie } = await janua.logIn();
    assert.equal((await janua.post('/api/login', { username: ann.username, password: 'wrong' })).statusCode, 400);
    assert.equal((await post(`/api/admin/users/${annId}/end-sessions`)).statusCode, 200);
    assert.equal((await janua.get('/api/me', cookie)).statusCode, 401);
    assert.equal((await post(`/api/admin/users/${annId}/lift`)).statusCode, 200);
    assert.equal((await post(`/api/admin/users/${annId}/send-reset`)).statusCode, 200);
    await services.mail?.settled();
    const [mail] = await services.outbox.listKept(1);
    assert.match(String(mail?.link), /\/auth\/reset-password\?token=/);
    for (const kind of ['sessions-ended', 'reset-sent']) assert.equal((await eventsOf(kind)).length, 1, kind);
    assert.equal((await eventsOf('throttle-lifted')).length, 1);
  });

  test('deletes a user and changes groups only after a fresh proof', async () => {
    await using janua = await open();
    const { annId, services } = janua;
    const { post, get } = janua.admin;
    await services.groups.add({ name: 'staff', description: '', scopes: [] });
    assert.match((await get(`/admin/users/${annId}/groups`)).body, /name="groups" value="staff"/);
    assert.equal((await post(`/api/admin/users/${annId}/groups`)).statusCode, 422);
    assert.equal((await post(`/api/admin/users/${annId}/groups`, { groups: ['nothing'] })).statusCode, 404);
    assert.equal((await post(`/api/admin/users/${annId}/groups`, { groups: ['staff'] })).statusCode, 200);
    assert.deepEqual((await services.users.findById(annId))?.user.groups, ['staff']);
    // A token that was given away never counts as a fresh proof.
    const account = await janua.account('admins@example.com');
    const made = { name: 'x', scopes: account.scopes, days: 1 };
    const { token } = await services.hold(provedBy(account), (held) => services.personalTokens.create(held, made));
    for (const action of ['groups', 'delete', 'remove-factors']) {
      const stale = { authorization: `Bearer ${token}` };
      const refused = await janua.post(`/api/admin/users/${annId}/${action}`, { groups: [] }, stale);
      assert.deepEqual([refused.statusCode, refused.json().error], [401, 'insufficient_user_authentication'], action);
    }
    assert.equal((await post(`/admin/users/${annId}/groups`)).statusCode, 303);
    assert.deepEqual((await services.users.findById(annId))?.user.groups, []);
    const { location } = (await post(`/admin/users/${annId}/delete`)).headers;
    assert.equal(location, '/admin/users?deleted=1');
    assert.match((await get(String(location))).body, /role="status">The user is deleted\./);
    assert.equal(await services.users.findById(annId), undefined);
  });

  test('changes no user who may do more, and lets no one do more', async () => {
    await using janua = await open(['users:read', 'users:write']);
    const { annId, services, eventsOf } = janua;
    const { post } = janua.admin;
    await services.groups.add({ name: 'clients', description: '', scopes: ['clients:write'] });
    for (const groups of [['clients'], [admins]]) {
      const refused = await post(`/api/admin/users/${annId}/groups`, { groups });
      assert.deepEqual([refused.statusCode, refused.json().error], [403, 'insufficient_scope']);
      const added = await post('/api/admin/users', { email: 'eve@example.com', groups, invite: false });
      assert.equal(added.statusCode, 403);
    }
    await services.administration.changeGroups(ann.username, { add: [admins] });
    for (const action of ['disable', 'delete', 'send-reset', 'remove-factors'])
      assert.equal((await post(`/api/admin/users/${annId}/${action}`)).statusCode, 403, action);
    const [event] = await eventsOf('permission-refused');
    assert.ok(event);
    assert.deepEqual([event.reason, event.userId], ['beyond-own', await janua.idOf('group-1@example.com')]);
  });

  test('says that an address is the one of a user, which its page shows, with who said so', async () => {
    await using janua = await open();
    const { annId, eventsOf, idOf } = janua;
    const { get, post } = janua.admin;
    assert.match((await get(`/admin/users/${annId}`)).body, /Not verified/);
    assert.match((await get(`/admin/users/${annId}/verify`)).body, /may link accounts by it/);
    const answer = await post(`/admin/users/${annId}/verify`);
    assert.equal(answer.headers.location, `/admin/users/${annId}?state=verify`);
    const page = (await get(String(answer.headers.location))).body;
    assert.match(page, /The address is verified\./);
    assert.match(page, /Verified by an administrator on [^(]+ \(admins@example\.com\)/);
    const user = (await get(`/api/admin/users/${annId}`)).json();
    assert.equal(user.email_verified, true);
    assert.deepEqual([user.verification.how, user.verification.by], ['administrator', 'admins@example.com']);
    assert.ok(!user.actions.includes('verify'));
    const [listed] = (await get('/api/admin/users?q=ann')).json().users;
    assert.equal(listed.email_verified, true);
    const [event] = await eventsOf('address-verified');
    assert.ok(event);
    assert.deepEqual([event.userId, event.actorId], [annId, await idOf('admins@example.com')]);
  });

  test('says so only as a member of admins, with a fresh proof', async () => {
    await using janua = await open(['users:read', 'users:write']);
    const { annId, services, eventsOf } = janua;
    const url = `/api/admin/users/${annId}/verify`;
    assert.ok(!(await janua.admin.get(`/api/admin/users/${annId}`)).json().actions.includes('verify'));
    for (const answer of [
      await janua.admin.post(url),
      await janua.admin.post(url.replace('/api', '')),
      await janua.admin.get(url.replace('/api', '')),
    ])
      assert.equal(answer.statusCode, 403);
    const [event] = await eventsOf('permission-refused');
    assert.ok(event);
    assert.equal(event.reason, 'only-admins');
    const { cookie } = await signInAs(janua, [admins]);
    const account = await janua.account('admins@example.com');
    const made = { name: 'x', scopes: account.scopes, days: 1 };
    const { token } = await services.hold(provedBy(account), (held) => services.personalTokens.create(held, made));
    const tokenScope = account.scopes.join(' ');
    const narrowed = await services.sessions.start(provedBy(account), { methods: ['pwd'], tokenScope });
    const verify = (headers: SentHeaders) => janua.post(url, {}, headers);
    for (const [limited, status] of [
      [token, 401],
      [narrowed.accessToken, 403],
    ] as const)
      assert.equal((await verify({ authorization: `Bearer ${limited}` })).statusCode, status);
    janua.pass(11 * 60_000);
    assert.equal((await verify({ cookie })).json().error, 'insufficient_user_authentication');
    assert.equal((await services.users.findById(annId))?.isAddressVerified, false);
    const fresh = await services.sessions.start(provedBy(account), { methods: ['pwd'] });
    assert.equal((await verify({ cookie: `session=${fresh.cookie}` })).statusCode, 200);
  });

  test('removes the second factors of a user', async () => {
    await using janua = await open();
    const { annId, eventsOf } = janua;
    const { post, get } = janua.admin;
    await addApp(janua, await janua.account());
    assert.deepEqual((await get(`/api/admin/users/${annId}`)).json().factors, ['app']);
    assert.equal((await post(`/api/admin/users/${annId}/remove-factors`)).statusCode, 200);
    assert.equal((await eventsOf('factors-removed')).length, 1);
    assert.ok(!(await get(`/api/admin/users/${annId}`)).json().actions.includes('remove-factors'));
  });
});

describe('a correction', () => {
  const other = 'ann.archer@example.com';
  const mails = async ({ services }: Opened) => {
    await services.mail?.settled();
    return services.outbox.listKept(9);
  };
  const tokenIn = (link: string | undefined) => /token=([\w-]{43})/.exec(link ?? '')?.[1] ?? assert.fail('no link');

  test('of the name keeps the sessions, and wants both names of a program', async () => {
    await using janua = await open();
    const { annId, eventsOf } = janua;
    const { get, post } = janua.admin;
    const { cookie } = await janua.logIn();
    assert.match((await get(`/admin/users/${annId}/name`)).body, /value="Archer"/);
    const sent = { first_name: 'Anne', last_name: 'Archer-Smith' };
    assert.equal((await post(`/api/admin/users/${annId}/name`, { first_name: 'Anne' })).statusCode, 422);
    assert.equal((await post(`/api/admin/users/${annId}/name`, { ...sent, last_name: 'a\nb' })).statusCode, 422);
    const answer = await post(`/admin/users/${annId}/name`, sent);
    assert.match((await get(String(answer.headers.location))).body, /The name is changed\./);
    const user = (await get('/api/admin/users?q=archer-smith')).json().users[0];
    assert.deepEqual([user.first_name, user.last_name], ['Anne', 'Archer-Smith']);
    assert.equal((await janua.get('/api/me', cookie)).statusCode, 200);
    const [event] = await eventsOf('user-renamed');
    assert.ok(event);
    assert.deepEqual([event.userId, event.actorId], [annId, await janua.idOf('admins@example.com')]);
  });

  test('of the address at once ends what the former one led to, verifies the new one, and tells both', async () => {
    await using janua = await open();
    const { annId, services, eventsOf } = janua;
    const { get, post } = janua.admin;
    const { cookie } = await janua.logIn();
    const before = (await services.users.findById(annId)) ?? assert.fail();
    const made = { name: 'x', scopes: [], days: 1 };
    const { token } = await services.hold(provedBy(before), (held) => services.personalTokens.create(held, made));
    await janua.post('/api/forgot-password', { email: ann.username });
    const [reset] = await mails(janua);
    const answer = await post(`/admin/users/${annId}/set-email`, { email: ` ${other.toUpperCase()} ` });
    assert.match((await get(String(answer.headers.location))).body, /both addresses are told/);
    for (const headers of [cookie, { authorization: `Bearer ${token}` }])
      assert.equal((await janua.get('/api/me', headers)).statusCode, 401);
    assert.equal(
      (await janua.post('/api/reset-password', { token: tokenIn(reset?.link), password: 'a few words with spaces' }))
        .statusCode,
      410,
    );
    // What still waits for the former address.
    const { userId, stamp } = provedBy(before);
    const details = { email: 'mallory@example.com', former: ann.username };
    for (const purpose of ['confirm-email', 'confirm-offered-email'])
      await queueOf(services).add({ purpose, address: details.email, language: 'en', userId, stamp, details });
    await queueOf(services).add({ purpose: 'reset-password', address: ann.username, language: 'en' });
    const told = (await mails(janua)).filter(({ subject }) => subject === 'Your address was changed');
    assert.deepEqual(told.map(({ to }) => to).sort(), [other, ann.username].sort());
    const dropped = (await eventsOf('mail-not-sent')).map((event) => 'reason' in event && event.reason);
    assert.deepEqual(dropped.sort(), ['no-account', 'outdated', 'outdated']);
    await janua.logIn(other);
    const user = (await get(`/api/admin/users/${annId}`)).json();
    assert.deepEqual(
      [user.username, user.verification.how, user.verification.by],
      [other, 'administrator', 'admins@example.com'],
    );
    const [event] = await eventsOf('user-email-changed');
    assert.ok(event);
    assert.deepEqual([event.userId, event.actorId], [annId, await janua.idOf('admins@example.com')]);
  });

  test('of the address at once is for members of admins, and by a link it takes the user who signs in', async () => {
    await using janua = await open(everything, {}, { THROTTLE: 'on' });
    const { annId, services, headers, eventsOf } = janua;
    const { get, post } = janua.admin;
    const url = `/api/admin/users/${annId}`;
    const mailbox = 'mallory@example.com';
    assert.deepEqual((await get(url)).json().actions.slice(0, 4), ['name', 'handle', 'offer-email', 'disable']);
    for (const refused of [
      await post(`${url}/set-email`, { email: mailbox }),
      await post(`${url.replace('/api', '')}/set-email`, { email: mailbox }),
      await get(`${url.replace('/api', '')}/set-email`),
    ])
      assert.equal(refused.statusCode, 403);
    const [refusal] = await eventsOf('permission-refused');
    assert.ok(refusal && 'reason' in refusal && refusal.reason === 'only-admins');
    assert.equal((await post(`${url}/offer-email`, { email: mailbox })).statusCode, 200);
    const sent = await mails(janua);
    assert.deepEqual(sent.map(({ to }) => to).sort(), [ann.username, mailbox].sort());
    const again = await post(`${url}/offer-email`, { email: mailbox });
    assert.deepEqual([again.statusCode, again.headers['retry-after']], [429, '60']);
    const [unsent] = await eventsOf('mail-not-sent');
    assert.ok(unsent && 'reason' in unsent);
    // The reader of the audit knows that the administrator was told.
    assert.deepEqual(
      [unsent.reason, unsent.userId, unsent.actorId],
      ['too-many-by-administrator', annId, await janua.idOf('group-1@example.com')],
    );
    const token = tokenIn(sent.find(({ to }) => to === mailbox)?.link);
    const page = `/account/confirm-email?token=${token}`;
    const confirm = (by: SentHeaders) => janua.post('/api/account/confirm-email', { token }, by);
    // The administrator reads the mailbox.
    assert.deepEqual([(await confirm(headers)).statusCode, (await confirm({})).statusCode], [410, 401]);
    assert.match((await janua.get(page, headers)).body, /or belongs to another account/);
    assert.match(String((await janua.get(page)).headers.location), /^\/auth\/login\?.*next=%2Faccount%2Fconfirm-email/);
    for (const way of ['/api/confirm-email', '/api/reset-password', '/api/sign-up/finish']) {
      const fields = { token, password: 'a few words with spaces', first_name: 'a', last_name: 'b' };
      assert.equal((await janua.post(way, fields)).statusCode, 410, way);
    }
    assert.equal((await services.users.findById(annId))?.user.username, ann.username);
    const { cookie } = await janua.logIn();
    assert.match(
      (await janua.get(page, cookie)).body,
      /offers mallory@example\.com as the address of your account, in place of ann@example\.com/,
    );
    const confirmed = await confirm(cookie);
    assert.equal(confirmed.statusCode, 200, confirmed.body);
    assert.equal((await confirm(cookie)).statusCode, 410);
    const { username, verification } = (await get(url)).json();
    assert.deepEqual([username, verification.how], [mailbox, 'mail']);
    assert.equal((await janua.get('/api/me', cookie)).statusCode, 200);
    const told = (await mails(janua)).filter(({ subject }) => subject === 'Your address was changed');
    assert.deepEqual(told.map(({ to }) => to).sort(), [ann.username, mailbox].sort());
  });

  test('by a link is void once the account has changed, and a late proof does not confirm it', async () => {
    await using janua = await open();
    const { annId, services } = janua;
    const { post } = janua.admin;
    assert.equal((await post(`/api/admin/users/${annId}/offer-email`, { email: other })).statusCode, 200);
    const token = tokenIn((await mails(janua)).find(({ to }) => to === other)?.link);
    const page = `/account/confirm-email?token=${token}`;
    const { cookie } = await janua.logIn();
    janua.pass(11 * 60_000);
    const asked = await janua.get(page, cookie);
    assert.equal(asked.headers.location, `/auth/confirm?next=${encodeURIComponent(page)}`);
    const late = await janua.post('/api/account/confirm-email', { token }, cookie);
    assert.equal(late.json().error, 'insufficient_user_authentication');
    await services.administration.setPassword(ann.username, 'a few words with spaces');
    const account = (await services.users.findById(annId)) ?? assert.fail();
    const session = await services.sessions.start(provedBy(account), { methods: ['pwd'] });
    const again = { cookie: `session=${session.cookie}` };
    assert.equal((await janua.get(page, again)).statusCode, 410);
  });

  test('is refused for an address that another user has, a disabled user, and one who may do more', async () => {
    await using janua = await open(everything);
    const { annId, services } = janua;
    const { post } = janua.admin;
    const url = `/api/admin/users/${annId}`;
    const taken = await post(`${url}/offer-email`, { email: 'group-1@example.com' });
    assert.deepEqual([taken.statusCode, taken.json().errors[0].field], [422, 'email']);
    assert.equal((await post(`${url}/offer-email`, { email: 'x' })).statusCode, 422);
    await services.administration.disable(ann.username);
    assert.equal((await post(`${url}/offer-email`, { email: other })).statusCode, 409);
    await services.administration.enable(ann.username);
    await services.administration.changeGroups(ann.username, { add: [admins] });
    assert.equal((await post(`${url}/offer-email`, { email: other })).statusCode, 403);
    assert.equal((await post(`${url}/name`, { first_name: 'a', last_name: 'b' })).statusCode, 403);
    const { cookie } = await signInAs(janua, [admins]);
    const answer = await janua.post(`${url}/set-email`, { email: 'group-1@example.com' }, { cookie });
    assert.deepEqual([answer.statusCode, answer.json().errors?.[0].field], [422, 'email'], answer.body);
    assert.equal((await services.users.findById(annId))?.user.username, ann.username);
  });

  test('that is refused leads back to its page, and without the user to the list', async () => {
    await using janua = await open();
    const own = `/admin/users/${await janua.idOf('admins@example.com')}/disable`;
    for (const [path, status, back] of [
      [own, 409, own],
      ['/admin/users/none/disable', 404, '/admin/users'],
    ] as const) {
      const { statusCode, body } = await janua.admin.post(path);
      assert.deepEqual([statusCode, /class="button" href="([^"]*)"/.exec(body)?.[1]], [status, back]);
      assert.match(body, /<a class="quiet" href="\/admin\/users" aria-current="true">/);
    }
  });

  test('of the address keeps the last administrator whom a setting makes', async () => {
    await using janua = await startJanua({ settings: { ADMINISTRATORS: [ann.username] } });
    const { services } = janua;
    const { cookie } = await janua.logIn();
    const id = (await services.users.findByUsername(ann.username))?.user.id;
    const change = () => janua.post(`/api/admin/users/${id}/set-email`, { email: other }, cookie);
    assert.equal((await change()).json().detail, 'This is the last administrator. Make another one first');
    await signInAs(janua, [admins]);
    assert.equal((await change()).statusCode, 200);
    assert.deepEqual((await services.users.findByUsername(other))?.user.groups, []);
  });
});

describe('a user who is added', () => {
  const eve = { email: 'Eve@example.com', first_name: 'Eve', last_name: 'Evans' };

  test('by an invitation chooses a password by the mailed link, where SIGN_UP is off too', async () => {
    await using janua = await open();
    const { services } = janua;
    const { post, get } = janua.admin;
    await services.groups.add({ name: 'staff', description: '', scopes: [] });
    const added = await post('/api/admin/users', {
      ...{ ...eve, groups: ['staff'], invite: true },
      // No field of a request proves an address, or sets a password.
      ...{ address_proof: 'mail', verified: true, password_hash: 'x', disabled: true, scopes: ['users:write'] },
    });
    assert.equal(added.statusCode, 201, added.body);
    assert.deepEqual(Object.keys(added.json()), ['id']);
    assert.notEqual((await janua.post('/api/login', { username: 'eve@example.com', password: '' })).statusCode, 200);
    await services.mail?.settled();
    const [mail] = await services.outbox.listKept(1);
    assert.match(String(mail?.text), /added an account for you/);
    const link = new URL(String(mail?.link));
    const page = await janua.get(link.pathname + link.search);
    assert.match(page.body, /value="Eve"/);
    const token = link.searchParams.get('token');
    const entered = { token, first_name: 'Eva', last_name: 'Evans', password: 'a few words with spaces' };
    const finished = await janua.post(link.pathname, entered);
    assert.equal(finished.headers.location, '/auth/home', finished.body);
    assert.ok(sessionCookie(finished));
    const user = (await get(`/api/admin/users/${added.json().id}`)).json();
    assert.deepEqual([user.first_name, user.groups, user.username], ['Eva', ['staff'], 'eve@example.com']);
    assert.deepEqual((await services.users.findById(user.id))?.scopes, []);
    const again = await janua.post(link.pathname, entered);
    assert.equal(again.statusCode, 410);
  });

  test('by an invitation to a wrong address gets another one when it is corrected, until the user has begun', async () => {
    await using janua = await open();
    const { services, eventsOf } = janua;
    const { post, get } = janua.admin;
    const { id } = (await post('/api/admin/users', { ...eve, invite: true })).json();
    const correct = async (email: string) =>
      (await get(String((await post(`/admin/users/${id}/set-email`, { email })).headers.location))).body;
    // The first invitation waits, the second one was mailed.
    assert.match(await correct('eve@example.net'), /an invitation is on its way/);
    await services.mail?.settled();
    assert.match(await correct('eve@example.org'), /an invitation is on its way/);
    await services.mail?.settled();
    const mails = (await services.outbox.listKept(9)).filter(({ subject }) => subject.startsWith('You are invited'));
    assert.deepEqual(
      mails.map(({ to }) => to),
      ['eve@example.org', 'eve@example.net'],
    );
    const finish = (link: string | undefined) =>
      janua.post('/api/sign-up/finish', {
        token: new URL(String(link)).searchParams.get('token'),
        ...{ password: 'a few words with spaces', first_name: 'Eve', last_name: 'Evans' },
      });
    assert.equal((await finish(mails[1]?.link)).statusCode, 410);
    assert.equal((await finish(mails[0]?.link)).statusCode, 201);
    assert.match(await correct('eve@example.com'), /both addresses are told/);
    const reasons = (await eventsOf('user-invited')).map((event) => event.reason);
    assert.deepEqual(reasons, ['again', 'again', undefined]);
  });

  test('by an invitation is shown as invited until the user has begun, and gets it again', async () => {
    await using janua = await open();
    const { services, eventsOf } = janua;
    const { post, get } = janua.admin;
    await post('/api/admin/users', { ...eve, invite: true });
    const id = await janua.idOf('eve@example.com');
    const read = async () => {
      const page = (await get(`/admin/users/${id}`)).body;
      const [, shown] = /(Invited;[^<\n]*|Never signed in)/.exec(page) ?? [];
      const { invitation } = (await get(`/api/admin/users/${id}`)).json();
      return [shown, page.includes('>Send the invitation again<'), invitation?.state, invitation?.repeatable];
    };
    const send = async () => {
      const { body } = await get(`/admin/users/${id}/send-reset`);
      assert.match(body, /<title>Janua Send the invitation again: eve@example.com<.*<h1>Send the invitation again</s);
      assert.equal((await post(`/api/admin/users/${id}/send-reset`)).statusCode, 200);
      await services.mail?.settled();
      return String((await services.outbox.listKept(1))[0]?.link);
    };
    await services.mail?.settled();
    assert.deepEqual(await read(), ['Invited; the link is valid until ', true, 'open', true]);
    const { expires_at } = (await get(`/api/admin/users/${id}`)).json().invitation;
    assert.equal(Math.round((Date.parse(expires_at) - janua.now()) / 3_600_000), 7 * 24);
    assert.match(await send(), /\/auth\/sign-up\/finish\?token=/);
    // A link that was handed over proves no address, so the mail is a reset, which does.
    const { id: handed } = (await post('/api/admin/users', { ...eve, email: 'eva@example.com' })).json();
    const page = (await get(`/admin/users/${handed}`)).body;
    assert.match(page, /Invited; the link is valid until/);
    assert.match(page, />Mail a link for a new password</);
    janua.pass(8 * 24 * 3_600_000);
    // The session of the administrator has ended meanwhile.
    Object.assign(janua.headers, await signInWith(janua, 'users:read', 'users:write'));
    assert.deepEqual(await read(), ['Invited; the link no longer works', true, 'expired', true]);
    const token = new URL(await send()).searchParams.get('token');
    const entered = { token, first_name: 'Eve', last_name: 'Evans', password: 'a few words with spaces' };
    assert.equal((await janua.post('/api/sign-up/finish', entered)).statusCode, 201);
    assert.deepEqual(await read(), [undefined, false, undefined, undefined]);
    const reasons = (await eventsOf('user-invited')).map((event) => event.reason);
    assert.deepEqual(reasons, ['repeated', undefined, 'repeated', undefined]);
    assert.deepEqual(await eventsOf('reset-sent'), []);
  });

  test('by an invitation that no mail server takes is shown as not having it, with the way to the mails', async () => {
    const further = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' };
    await using janua = await open(undefined, { demoMailbox: false }, further);
    const { id } = (await janua.admin.post('/api/admin/users', { ...eve, invite: true })).json();
    await janua.services.mail?.settled();
    // The attempt has made a link.
    const [mail] = await Array.fromAsync(janua.services.outbox.list());
    assert.match(String(mail?.failure), /ECONNREFUSED/);
    assert.equal((await janua.admin.get(`/api/admin/users/${id}`)).json().invitation.state, 'waiting');
    const notSent = 'Invited; a mail with a link still waits to be sent';
    const { body } = await janua.admin.get(`/admin/users/${id}`);
    assert.ok(body.includes(`${notSent} (<a href="/admin/mail">Mail</a>)`), body);
    assert.ok(body.includes('>Send the invitation again<'), body);
    const headers = await signInWith(janua, 'users:read');
    const page = (await janua.get(`/admin/users/${id}`, headers)).body;
    assert.ok(page.includes(notSent) && !page.includes('/admin/mail'), page);
  });

  test('gets a link to be handed over, which proves no address', async () => {
    await using janua = await startJanua({
      settings: { PUBLIC_URL: 'http://localhost:5000', SIGN_UP: 'off', ADMINISTRATORS: ['eve@example.com'] },
    });
    const headers = await signInAs(janua, [admins]);
    const { services } = janua;
    const page = await janua.post('/admin/users', eve, headers);
    assert.equal(page.statusCode, 201);
    const token = /token=([\w-]{43})/.exec(page.body)?.[1];
    await services.mail?.settled();
    assert.deepEqual(await services.outbox.listKept(9), []);
    const entered = { token, first_name: 'Eve', last_name: 'Evans', password: 'a few words with spaces' };
    const finished = await janua.post('/api/sign-up/finish', entered);
    assert.equal(finished.statusCode, 201, finished.body);
    assert.deepEqual((await services.users.findByUsername('eve@example.com'))?.user.groups, []);
  });

  test('is refused with a word for each field, and the link dies with the account', async () => {
    await using janua = await open();
    const { post } = janua.admin;
    for (const [body, field] of [
      [{ ...eve, email: ann.username }, 'email'],
      [{ ...eve, email: 'eve' }, 'email'],
      [{}, 'email'],
      [{ ...eve, first_name: 'a\nb' }, 'first_name'],
    ] as const) {
      const refused = await post('/api/admin/users', body);
      assert.deepEqual([refused.statusCode, refused.json().errors[0].field], [422, field]);
      const page = await post('/admin/users', body);
      assert.equal(page.statusCode, 422);
      assert.match(page.body, new RegExp(`id="${field}-error"`));
    }
    const { id, link } = (await post('/api/admin/users', { ...eve, invite: false })).json();
    await post(`/api/admin/users/${id}/disable`);
    const { pathname, search } = new URL(link);
    const ended = await janua.get(pathname + search);
    assert.equal(ended.statusCode, 410);
    assert.match(ended.body, /was used already, or was withdrawn\. If you were invited/);
  });
});

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  test(`of two administrators in ${users} who go at once, one remains`, { skip: missing(users) }, async () => {
    await using janua = await startJanua({ stores: { users, sessions: 'SQL' } });
    const { services } = janua;
    const { administration, registry } = services;
    const bob = { username: 'bob@example.com', firstName: 'B', lastName: 'B', passwordHash: 'x', demo: false };
    for (const ways of [
      ['disable', 'disable'],
      ['groups', 'groups'],
      ['disable', 'groups'],
      ['delete', 'disable'],
      ['delete', 'delete'],
    ] as const) {
      for (const name of [ann.username, bob.username]) {
        await registry?.add({ ...bob, username: name });
        await administration.enable(name);
        await administration.changeGroups(name, { add: [admins] });
      }
      const ids = (await Array.fromAsync(services.users.list())).filter(({ groups }) => groups.includes(admins));
      const change = {
        disable: administration.disable,
        delete: administration.remove,
        groups: (user: { readonly userId: string }) => administration.setGroups(user, []),
      };
      const outcomes = await Promise.all(
        ways.map((way, index) =>
          change[way]({ userId: ids[index]?.id ?? '' }).then(
            () => 'changed',
            ({ code }) => code,
          ),
        ),
      );
      const left = (await Array.fromAsync(services.users.list())).filter(
        ({ disabled, groups }) => !disabled && groups.includes(admins),
      );
      assert.deepEqual([left.length, outcomes.sort()], [1, ['changed', 'last-administrator']], ways.join(' and '));
    }
  });
}

test('a user of an own table is changed as far as Janua can', async () => {
  const stores = { users: 'SQLite', sessions: 'SQL', ownTable: true } as const;
  await using janua = await startJanua({ stores, settings: { PUBLIC_URL: 'http://localhost:5000' } });
  const { services, people } = janua;
  await services.groups.add({ name: 'helpers', description: '', scopes: everything });
  await people.add({ ...ann, username: 'ada@example.com', password });
  const [ada, id] = await Promise.all(
    ['ada@example.com', ann.username].map(async (name) => (await services.users.adoptByUsername(name))?.user),
  );
  assert.ok(ada && id);
  await services.administration.setGroups(ada.username, ['helpers']);
  const { cookie } = await janua.logIn(ada.username);
  const url = `/api/admin/users/${id.id}`;
  const user = (await janua.get(url, cookie)).json();
  assert.equal(user.username, ann.username);
  assert.deepEqual(user.actions, ['handle', 'end-sessions', 'lift', 'send-reset', 'groups']);
  const { post } = withHeaders(janua, cookie);
  for (const action of ['disable', 'enable', 'delete']) {
    const refused = await post(`${url}/${action}`);
    assert.equal(refused.statusCode, 409);
    assert.match(refused.json().detail, /USERS_TABLE.*Change them in your application/);
  }
  assert.equal((await post('/api/admin/users', { email: 'eve@example.com', invite: true })).statusCode, 409);
  await services.administration.verify(ann.username);
  assert.equal((await services.users.findByUsername(ann.username))?.isAddressVerified, true);
  assert.equal((await post(`${url}/groups`, { groups: ['helpers'] })).statusCode, 200);
  const page = await janua.get('/admin/users?q=ann', cookie);
  assert.match(page.body, /ann@example\.com/);
});

test('a page of administrators that is missing or refused keeps the menu, and leads to one that the user may open', async () => {
  for (const [scopes, url, back] of [
    [undefined, '/admin/nothing', '/admin'],
    [['users:read'], '/admin/nothing', '/admin/users'],
    [['users:read'], '/admin/audit', '/admin/users'],
  ] as const) {
    await using janua = await open(scopes && [...scopes]);
    const { body } = await janua.admin.get(url);
    assert.equal(/class="button" href="([^"]*)"/.exec(body)?.[1], back);
    assert.match(body, /<a class="quiet" href="\/admin\/users"/);
    const language = /name="next" value="([^"]*)"/.exec(body)?.[1] ?? '';
    assert.equal(language, url === '/admin/nothing' ? back : url, 'another language leads to a page that is there');
  }
});

test('the list of users offers the names of the groups to filter by', async () => {
  await using janua = await open(['users:read']);
  await janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
  const page = (await janua.admin.get('/admin/users')).body;
  assert.match(page, /<input id="group"[^>]* list="groups">/);
  assert.match(page, /<datalist id="groups">.*<option value="staff"><\/option><\/datalist>/);
});

test('the list of users says how many there are, up to 100,000', async () => {
  await using janua = await open();
  assert.equal((await janua.admin.get('/api/admin/users')).json().total, 2);
  assert.match((await janua.admin.get('/admin/users')).body, />2 users</);
  assert.equal((await janua.admin.get('/api/admin/users?q=ann')).json().total, null);
  await sql`insert into janua_users (id, login_name, username, password, first_name, last_name, disabled, demo, created_at)
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 99_999)
    select n, n || '@example.com', n || '@example.com', '', '', '', 0, 0, 0 from numbers`.execute(
    janua.services.database,
  );
  assert.equal((await janua.admin.get('/api/admin/users')).json().total, null);
  assert.match((await janua.admin.get('/admin/users')).body, />More than 100,000 users</);
});
