import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { claimsOf } from '../../../src/capabilities/oidc/claims.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { signInAs } from '../admin/administrator.ts';

const { username } = ann;
const eve = { email: 'eve@example.com', first_name: 'Eve', last_name: 'Evans' };

async function open(users: 'SQLite' | 'PostgreSQL' | 'MariaDB' = 'SQLite') {
  const janua = await startJanua({
    stores: { users, sessions: 'SQL' },
    settings: { PUBLIC_URL: 'http://localhost:5000', SIGN_UP: 'on' },
  });
  const { services } = janua;
  const send = async (...request: Parameters<typeof janua.post>) => {
    const answer = await janua.post(...request);
    assert.ok(answer.statusCode < 300, `${request[0]}: ${answer.body}`);
    return answer.json();
  };
  const invite = async (isMailed: boolean) =>
    send('/api/admin/users', { ...eve, invite: isMailed }, await signInAs(janua, [admins]));
  return {
    ...janua,
    ...{ send, invite },
    /** The token of the last link that was mailed. */
    async mailedToken(): Promise<string> {
      const tokens = (await janua.mails()).map(({ link }) => /token=([\w-]{43})/.exec(String(link))?.[1]);
      return tokens.find((token) => token !== undefined) ?? assert.fail();
    },
    /** Changes Ann's row, as another program does. */
    change: async (text: string) =>
      services.hold(provedBy(await janua.account(username)), ({ db, user }) =>
        sql`update janua_users set ${sql.raw(text)} where id = ${user.id}`.execute(db),
      ),
    /** What applications and proxies are told of the address. */
    async told(name: string) {
      const account = await janua.account(name);
      const { email_verified } = { email_verified: undefined, ...claimsOf('subject', account) };
      return { email_verified, isAddressVouched: account.isAddressVouched };
    },
    verificationOf: async (name: string) =>
      (await services.users.findDetails((await janua.account(name)).user)).verification,
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function reset({ send, mailedToken }: Opened, name: string): Promise<void> {
  await send('/api/forgot-password', { email: name });
  await send('/api/reset-password', { token: await mailedToken(), password: 'a few words with spaces' });
}

const finish = ({ send }: Opened, token = '') =>
  send('/api/sign-up/finish', { token, first_name: 'Eve', last_name: 'E', password: 'a few words with spaces' });

/** What happened to a user, and what verified the address in the end. */
const histories: Readonly<
  Record<string, readonly [user: string, history: (opened: Opened) => Promise<unknown>, how: string | undefined]>
> = {
  'after a command has added the user': [username, async () => {}, undefined],
  'after a reset by a mailed link': [username, (opened) => reset(opened, username), 'mail'],
  'after a reset that nobody finished': [
    username,
    ({ send }) => send('/api/forgot-password', { email: username }),
    undefined,
  ],
  'after a new password by a command': [
    username,
    ({ services }) => services.administration.setPassword(username, 'a few words with spaces'),
    undefined,
  ],
  'after the word of an operator': [username, ({ services }) => services.administration.verify(username), 'command'],
  'of a user who was added with it': [
    eve.email,
    ({ services }) =>
      services.administration.add({ username: eve.email, firstName: 'E', lastName: 'E', password, verified: true }),
    'command',
  ],
  'after a sign-up': [
    eve.email,
    async (opened) => {
      await opened.send('/api/sign-up', { email: eve.email });
      await finish(opened, await opened.mailedToken());
    },
    'mail',
  ],
  'of a user who was invited by mail and has not come': [eve.email, ({ invite }) => invite(true), undefined],
  'of a user who came by a mailed invitation': [
    eve.email,
    async (opened) => {
      await opened.invite(true);
      await finish(opened, await opened.mailedToken());
    },
    'mail',
  ],
  'of a user who came by a link that was handed over': [
    eve.email,
    async (opened) => {
      const { link } = await opened.invite(false);
      await finish(opened, link.split('=')[1]);
    },
    undefined,
  ],
  'of a user who came by such a link, and has reset the password by mail': [
    eve.email,
    async (opened) => {
      const { link } = await opened.invite(false);
      await finish(opened, link.split('=')[1]);
      await reset(opened, eve.email);
    },
    'mail',
  ],
  'after a change of the address by a mailed link': [
    'new@example.com',
    async ({ logIn, send, mailedToken }) => {
      const { bearer } = await logIn();
      await send('/api/account/email', { email: 'new@example.com' }, bearer);
      await send('/api/confirm-email', { token: await mailedToken() });
    },
    'mail',
  ],
  'that another program has set, once its owner has asked for it': [
    'new@example.com',
    async (opened) => {
      await opened.change("username = 'new@example.com', login_name = 'new@example.com'");
      const { bearer } = await opened.logIn('new@example.com');
      await opened.send('/api/account/email', { email: 'new@example.com' }, bearer);
      await opened.send('/api/confirm-email', { token: await opened.mailedToken() });
    },
    'mail',
  ],
  'after another program has changed it': [
    'new@example.com',
    async (opened) => {
      await reset(opened, username);
      await opened.change("username = 'new@example.com', login_name = 'new@example.com'");
    },
    undefined,
  ],
  'of another user who is added with the address of one who is gone': [
    username,
    async (opened) => {
      await reset(opened, username);
      await opened.services.administration.remove(username);
      await opened.people.add({ ...ann, password });
    },
    undefined,
  ],
  'while the user is disabled': [
    username,
    async (opened) => {
      await reset(opened, username);
      await opened.services.administration.disable(username);
    },
    'mail',
  ],
  'of a user whom a process of the previous version has signed up': [
    username,
    ({ change }) => change("verified_address = null, address_proof = 'mail'"),
    'mail',
  ],
};

describe('whether an address is verified', () => {
  for (const [name, [user, history, how]] of Object.entries(histories))
    test(`is ${how === undefined ? 'no' : `yes, by ${how},`} ${name}`, async () => {
      await using opened = await open();
      await history(opened);
      const verification = await opened.verificationOf(user);
      assert.equal(verification?.how, how);
      const isVerified = how !== undefined;
      assert.deepEqual(await opened.told(user), { email_verified: isVerified, isAddressVouched: true });
      const listed = await Array.fromAsync(opened.services.users.list());
      assert.equal(listed.find((one) => one.username === user)?.addressVerified, isVerified);
    });
});

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  test(`a reset in ${users} verifies no address that the user does not have any longer`, {
    skip: missing(users),
  }, async () => {
    await using opened = await open(users);
    const { services, change, send, mailedToken, told } = opened;
    await send('/api/forgot-password', { email: username });
    const token = await mailedToken();
    await change("username = 'new@example.com', login_name = 'new@example.com', address_proof = 'none'");
    await assert.rejects(send('/api/reset-password', { token, password: 'a few words with spaces' }), /has expired/);
    assert.deepEqual(await told('new@example.com'), { email_verified: false, isAddressVouched: false });
    await reset(opened, 'new@example.com');
    assert.deepEqual(await told('new@example.com'), { email_verified: true, isAddressVouched: true });
    const { at, ...how } = (await opened.verificationOf('new@example.com')) ?? assert.fail();
    assert.deepEqual(how, { how: 'mail', by: undefined });
    assert.ok(Math.abs(Number(at) - Date.now()) < 60_000);
    assert.deepEqual((await services.users.findByUsername('new@example.com'))?.user.groups, []);
  });

test('a verified address makes no administrator of a user who is in ADMINISTRATORS', async () => {
  await using janua = await startJanua({ settings: { ADMINISTRATORS: [eve.email] } });
  const { registry, users, administration } = janua.services;
  const person = { username: eve.email, firstName: 'E', lastName: 'E', passwordHash: 'x', demo: false };
  await registry?.add({ ...person, addressProof: 'admin' });
  await administration.verify(eve.email);
  const account = await users.findByUsername(eve.email);
  assert.deepEqual([account?.isAddressVerified, account?.user.groups], [true, []]);
});

test('users see how their address was verified, and find it in their export', async () => {
  await using opened = await open();
  const get = async (url: string) => opened.get(url, (await opened.logIn()).cookie);
  assert.match((await get('/account')).body, /Not verified/);
  await opened.services.administration.verify(username);
  assert.match((await get('/account')).body, /Verified by the operator on /);
  const { verification } = (await get('/api/account')).json();
  assert.deepEqual([verification.how, Object.keys(verification)], ['command', ['how', 'at']]);
  const exported = async () => (await get('/api/account/export')).json().account.verification;
  assert.deepEqual(await exported(), verification);
  await opened.change("verified_how = 'upstream', verified_by = 'google'");
  assert.deepEqual(await exported(), { ...verification, how: 'upstream', upstream: 'google' });
  await opened.change("verified_address = null, verified_how = null, verified_at = null, address_proof = 'mail'");
  assert.match((await get('/account')).body, /Verified by a mailed link\s*</);
});
