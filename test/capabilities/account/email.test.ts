import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { ann, password, startJanua, type TestOptions } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { sessionCookie } from '../../web/faces.ts';
import { signInAs, signInWith } from '../admin/administrator.ts';

const bob = { username: 'bob@example.com', firstName: 'Bob', lastName: 'Baker' };

async function openAccounts(options: TestOptions = {}) {
  const janua = await startJanua(options);
  return {
    ...janua,
    /** Asks for another address, and gives the token of the mailed link. */
    async ask(headers: { readonly cookie: string }, email: string) {
      assert.equal((await janua.post('/api/account/email', { email }, headers)).statusCode, 202);
      return janua.tokenTo(email);
    },
    isAdministrator: async (username: string) =>
      (await janua.services.users.findByUsername(username))?.user.groups.includes(admins),
  };
}

/** A server whose administrators are Ann and Bob, by the setting alone. */
async function openListed(stores: StoreChoice = { users: 'SQLite', sessions: 'SQL' }) {
  const janua = await openAccounts({ stores, settings: { ADMINISTRATORS: [ann.username, bob.username] } });
  await janua.people.add({ ...bob, password });
  return janua;
}

describe('the last administrator whom ADMINISTRATORS names', () => {
  const other = 'other@example.com';
  const told = 'This is the last administrator. Make another one first';

  test('is refused another address, and a page says why', async () => {
    await using janua = await openListed();
    const { post, services } = janua;
    await services.administration.disable(bob.username);
    const { cookie } = await janua.logIn();
    assert.equal((await post('/api/account/email', { email: other }, cookie)).json().detail, told);
    const page = await post('/account/email', { email: other }, { ...cookie, 'accept-language': 'de' });
    assert.deepEqual([page.statusCode, page.body.includes('Das ist der letzte Administrator')], [409, true]);
    await assert.rejects(services.administration.offerAddress(ann.username, other), { code: 'last-administrator' });
    assert.deepEqual(await janua.mails(), []);
  });

  test('is not one whom the group admins makes', async () => {
    await using janua = await openListed();
    const { post, services } = janua;
    const token = await janua.ask(await signInAs(janua, [admins]), other);
    for (const name of [ann.username, bob.username]) await services.administration.disable(name);
    assert.equal((await post('/api/confirm-email', { token })).statusCode, 200);
    assert.ok(await janua.isAdministrator(other));
  });

  test('keeps the address that a link would take, until there is another administrator', async () => {
    await using janua = await openListed();
    const { post, services } = janua;
    const { administration } = services;
    await administration.offerAddress(ann.username, 'offered@example.com');
    const { cookie } = await janua.logIn();
    const [asked, offered] = [await janua.ask(cookie, other), await janua.tokenTo('offered@example.com')];
    await administration.disable(bob.username);
    for (const [url, token] of [
      ['/api/confirm-email', asked],
      ['/api/account/confirm-email', offered],
    ] as const)
      assert.equal((await post(url, { token }, cookie)).json().detail, told, url);
    assert.ok(await janua.isAdministrator(ann.username));
    await administration.enable(bob.username);
    assert.equal((await post('/api/confirm-email', { token: asked })).statusCode, 200);
    assert.equal(await janua.isAdministrator(other), false);
  });

  for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
    test(`remains in ${users} if two move at once`, { skip: missing(users) }, async () => {
      await using janua = await openListed({ users, sessions: 'SQL' });
      const names = [ann.username, bob.username];
      const tokens: string[] = [];
      for (const name of names) tokens.push(await janua.ask((await janua.logIn(name)).cookie, `new-${name}`));
      const answers = await Promise.all(tokens.map((token) => janua.post('/api/confirm-email', { token })));
      assert.deepEqual(answers.map(({ statusCode }) => statusCode).sort(), [200, 409]);
      assert.deepEqual((await Promise.all(names.map(janua.isAdministrator))).filter(Boolean), [true]);
    });
});

/** Ann, and a thief of her session, which has just begun. */
async function openRobbed() {
  const janua = await openAccounts();
  const [{ cookie: own }, { cookie: stolen }] = [await janua.logIn(), await janua.logIn()];
  const stolenId = stolen.cookie.slice('session='.length).split('.', 1)[0] ?? '';
  const { id: userId } = (await janua.account()).user;
  const helper = await signInWith(janua, 'users:read', 'sessions:write');
  return { ...janua, own, stolen, stolenId, userId, helper };
}

const endOthers = ({ post, own }: Awaited<ReturnType<typeof openRobbed>>) =>
  post('/api/account/sessions/end-others', {}, own);

const endOne = ({ post, own, stolenId: id }: Awaited<ReturnType<typeof openRobbed>>) =>
  post('/api/account/sessions/end', { id }, own);

const ends: Readonly<Record<string, (robbed: Awaited<ReturnType<typeof openRobbed>>) => Promise<unknown>>> = {
  'the user ends the session': endOne,
  'the user ends all other sessions': endOthers,
  'an administrator ends the sessions of the user': ({ post, userId, helper }) =>
    post(`/api/admin/users/${userId}/end-sessions`, {}, helper),
  'a command ends the session': ({ services, stolenId }) => services.administration.endSession(stolenId),
};

describe('a link to a new address', () => {
  const email = 'thief@example.com';

  for (const [way, end] of Object.entries(ends))
    test(`ends when ${way}, and the link of a reset with all sessions alone`, async () => {
      await using janua = await openRobbed();
      await janua.services.administration.sendReset(ann.username);
      const reset = await janua.tokenTo(ann.username);
      const token = await janua.ask(janua.stolen, email);
      await end(janua);
      assert.equal((await janua.post('/api/confirm-email', { token })).statusCode, 410);
      const fields = { token: reset, password: 'a few words with spaces' };
      assert.equal(
        (await janua.post('/api/reset-password', fields)).statusCode,
        way.includes(' session') && !way.includes('sessions') ? 200 : 410,
      );
    });

  test('does not work if the session ends while its mail waits, is sent, or is being asked for', async () => {
    for (const moment of ['waits', 'is sent', 'is asked for'] as const) {
      await using janua = await openRobbed();
      const { services } = janua;
      const { findDue, has } = services.outbox;
      if (moment === 'waits') Object.assign(services.outbox, { findDue: async () => [] });
      if (moment === 'is sent')
        Object.assign(services.outbox, { has: (id: string) => endOne(janua).then(() => has(id)) });
      if (moment === 'is asked for') {
        const { requireFresh } = services;
        const ended = async (...asked: Parameters<typeof requireFresh>) => {
          const account = await requireFresh(...asked);
          // The end asks for a proof too.
          Object.assign(services, { requireFresh });
          await endOne(janua);
          return account;
        };
        Object.assign(services, { requireFresh: ended });
      }
      assert.equal((await janua.post('/api/account/email', { email }, janua.stolen)).statusCode, 202);
      if (moment === 'waits') await endOne(janua);
      Object.assign(services.outbox, { findDue });
      services.mail?.wake();
      const mails = await janua.mails();
      assert.ok(mails.some(({ to }) => to === ann.username));
      for (const { link = '' } of mails.filter(({ to }) => to === email)) {
        const token = new URL(link).searchParams.get('token') ?? '';
        assert.equal((await janua.post('/api/confirm-email', { token })).statusCode, 410, moment);
      }
    }
  });

  test('outlives a logout', async () => {
    await using janua = await openRobbed();
    const token = await janua.ask(janua.stolen, email);
    await janua.post('/api/logout', {}, janua.stolen);
    assert.equal((await janua.post('/api/confirm-email', { token })).statusCode, 200);
  });
});

test('the former mailbox gets the same notice of a change to a taken address as to a free one', async () => {
  await using janua = await startJanua();
  const taken = 'bob@example.com';
  await janua.people.add({ username: taken, password, firstName: 'Bob', lastName: 'Baker' });
  const addresses = ['free@example.com', taken];
  for (const email of addresses) {
    const { bearer } = await janua.logIn();
    assert.equal((await janua.post('/api/account/email', { email }, bearer)).statusCode, 202);
    // Otherwise the second notice is merged.
    janua.pass(11 * 60_000);
  }
  const notices = await janua.mails(ann.username);
  assert.deepEqual(
    notices.map(({ subject, text }) => [subject, addresses.filter((address) => text.includes(address))]),
    [taken, 'free@example.com'].map((address) => [notices[0]?.subject, [address]]),
  );
});

test('the account page shows the newest address that waits for its link, and none of an address bar', async () => {
  await using janua = await startJanua();
  const { services } = janua;
  const { cookie, bearer } = await janua.logIn();
  const shown = async () => {
    const { body } = await janua.get('/account?state=2&email=evil@example.com', cookie);
    assert.ok(!body.includes('evil'), body);
    return /Waiting for confirmation: ([^<]*)</.exec(body)?.[1];
  };
  const send = (url: string, fields: object) => janua.post(url, fields, bearer);
  assert.equal(await shown(), undefined);
  for (const [email, page] of [
    ['first@example.com', 'first@example.com'],
    ['o&x@example.com', 'o&amp;x@example.com'],
  ] as const) {
    await send('/api/account/email', { email });
    assert.equal(await shown(), page, 'before the mail was sent');
    await services.mail?.settled();
    assert.equal(await shown(), page);
  }
  await send('/api/confirm-email', { token: await janua.tokenTo('o&x@example.com') });
  assert.equal(await shown(), undefined);
  const same = await send('/api/account/email', { email: 'O&X@example.com' });
  assert.deepEqual(
    [same.statusCode, same.json().errors],
    [422, [{ field: 'email', detail: 'This is your email address already' }]],
  );

  await send('/api/account/email', { email: 'late@example.com' });
  const changed = await send('/api/account/password', {
    current_password: password,
    new_password: 'four words with spaces',
  });
  const own = { cookie: `session=${sessionCookie(changed)}` };
  assert.doesNotMatch((await janua.get('/account', own)).body, /Waiting for/, 'a new password ends it');
});
