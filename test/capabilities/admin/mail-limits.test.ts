import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { perClient, perHour, perTarget } from '../../../src/core/mail/limits.ts';
import { withHeaders } from '../../client.ts';
import { startJanua } from '../../janua.ts';
import { addTo, signInAs, signInWith } from './administrator.ts';

/** A server with its limits, and an administrator who may change users. */
async function open() {
  const janua = await startJanua({ settings: { THROTTLE: 'on', REAUTHENTICATION_SECONDS: 86_400 }, time: Date.now() });
  const headers = await signInWith(janua, 'users:read', 'users:write');
  return {
    ...janua,
    addUser: (name: string) => addTo(janua, `${name}@example.com`, []),
    admin: withHeaders(janua, headers),
    reasons: async () =>
      (await janua.events({ kind: 'mail-not-sent' })).map(({ reason, actorId }) => [reason, actorId !== undefined]),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

const invited = (number: number) => ({
  ...{ email: `new${number}@example.org`, first_name: 'New', last_name: 'User' },
  ...{ groups: [], invite: true },
});

describe('an administrator cannot flood', () => {
  test('a user with resets: one a minute and five an hour, whoever sends them', async () => {
    await using opened = await open();
    const { pass } = opened;
    const { post } = opened.admin;
    const id = await opened.addUser('bob');
    const other = await signInAs(opened, ['admins']);
    const statuses: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      await opened.mails();
      statuses.push((await post(`/api/admin/users/${id}/send-reset`)).statusCode);
      statuses.push((await post(`/api/admin/users/${id}/send-reset`, {}, other)).statusCode);
      pass(61_000);
    }
    assert.equal(statuses.filter((status) => status === 200).length, perHour.free);
    assert.ok(statuses.every((status) => status === 200 || status === 429));
    assert.equal((await opened.mails()).length, perHour.free);
  });

  for (const [what, make] of [
    [
      'many users with resets',
      async ({ admin, addUser }: Opened, number: number) =>
        admin.post(`/api/admin/users/${await addUser(`user${number}`)}/send-reset`),
    ],
    [
      'strangers with invitations',
      ({ admin }: Opened, number: number) => admin.post('/api/admin/users', invited(number)),
    ],
  ] as const)
    test(`${what}, and is told`, async () => {
      await using opened = await open();
      const answers: Awaited<ReturnType<typeof make>>[] = [];
      for (let number = 0; number < perClient.free + 10; number += 1) answers.push(await make(opened, number));
      const refused = answers.filter(({ statusCode }) => statusCode === 429);
      assert.equal(refused.length, 10);
      assert.match(refused[0]?.json().detail, /^Too many mails to that address, about that user, by you, or in all/);
      assert.ok(Number(refused[0]?.headers['retry-after']) > 0);
      assert.equal((await opened.mails()).length, perClient.free);
      assert.deepEqual(await opened.reasons(), Array(10).fill(['too-many-by-administrator', true]));
    });

  test('an outsider by inviting, deleting and inviting again', async () => {
    await using opened = await open();
    const { pass } = opened;
    const { post } = opened.admin;
    for (let count = 0; count < 15; count += 1) {
      const added = await post('/api/admin/users', invited(1));
      // Otherwise it is dropped with the account.
      await opened.mails();
      if (added.statusCode === 201)
        assert.equal((await post(`/api/admin/users/${added.json().id}/delete`)).statusCode, 200);
      else assert.equal(added.statusCode, 429);
      pass(61_000);
    }
    assert.equal((await opened.mails()).length, perHour.free);
    assert.equal(await opened.services.users.findByUsername('new1@example.org'), undefined);
  });

  test('outsiders by giving their addresses to an account', async () => {
    await using opened = await open();
    const admin = await signInAs(opened, ['admins']);
    const id = await opened.addUser('bob');
    const statuses: number[] = [];
    for (let number = 0; number < perTarget.free + 5; number += 1)
      statuses.push(
        (await opened.admin.post(`/api/admin/users/${id}/set-email`, { email: `${number}@example.org` }, admin))
          .statusCode,
      );
    assert.deepEqual(statuses, [...Array(perTarget.free).fill(200), ...Array(5).fill(429)]);
  });

  test('and learns first that an address is taken, which waiting would not change', async () => {
    await using opened = await open();
    const { post } = opened.admin;
    await opened.addUser('bob');
    const taken = { ...invited(0), email: 'Bob@example.com' };
    for (let number = 0; number < perClient.free; number += 1) {
      assert.equal((await post('/api/admin/users', invited(number))).statusCode, 201);
      if (number < 5) assert.equal((await post('/api/admin/users', taken)).statusCode, 422, 'it counts as no mail');
    }
    assert.equal((await post('/api/admin/users', invited(99))).statusCode, 429);
    const refused = await post('/api/admin/users', taken);
    assert.deepEqual([refused.statusCode, refused.json().errors[0].field], [422, 'email']);
    const page = await post('/admin/users', { ...taken, invite: 'true' });
    assert.equal(page.statusCode, 422);
    assert.match(page.body, /id="email-error"/);
    assert.deepEqual(await opened.reasons(), [['too-many-by-administrator', true]]);
  });

  test('and the page says so, without adding the user', async () => {
    await using opened = await open();
    const first = await opened.admin.post('/admin/users', invited(1));
    assert.equal(first.statusCode, 303, first.body);
    const id = (await opened.services.users.findByUsername('new1@example.org'))?.user.id;
    const again = await opened.admin.post(`/admin/users/${id}/send-reset`);
    assert.equal(again.statusCode, 429);
    assert.match(again.body, /Too many mails: to that address, about that user, or by you\. Wait before the next\./);
  });
});

test('strangers do not use up what administrators may send, nor the other way round', async () => {
  await using opened = await open();
  const { post } = opened.admin;
  const id = await opened.addUser('bob');
  const ask = () => opened.post('/api/forgot-password', { email: 'bob@example.com' });
  assert.equal((await ask()).statusCode, 202);
  assert.equal((await post(`/api/admin/users/${id}/send-reset`)).statusCode, 200);
  opened.pass(61_000);
  assert.equal((await opened.mails()).length, 2);
  assert.equal((await post(`/api/admin/users/${id}/send-reset`)).statusCode, 200);
  assert.equal((await ask()).statusCode, 202);
  assert.equal((await opened.mails()).length, 4);
});

test('an operator may invite 500 users', async () => {
  await using opened = await open();
  const { administration, outbox } = opened.services;
  for (let number = 0; number < 500; number += 1)
    await administration.invite({ username: `${number}@example.org`, firstName: 'New', lastName: 'User' }, true);
  await opened.mails();
  assert.equal((await outbox.listKept(600)).length, 500);
});

describe('a reset link', () => {
  /** Asks for a reset link, as an administrator or as a stranger, and gives its token once it is mailed. */
  async function get(opened: Opened, id: string, by: 'administrator' | 'stranger'): Promise<string> {
    opened.pass(61_000);
    if (by === 'administrator') await opened.admin.post(`/api/admin/users/${id}/send-reset`);
    else await opened.post('/api/forgot-password', { email: 'bob@example.com' });
    return new URL((await opened.mails())[0]?.link ?? '').searchParams.get('token') ?? '';
  }

  for (const [first, second, works] of [
    ['administrator', 'administrator', false],
    ['stranger', 'administrator', false],
    ['administrator', 'stranger', true],
    ['stranger', 'stranger', true],
  ] as const)
    test(`by a ${second} ${works ? 'leaves' : 'ends'} an earlier one by a ${first}`, async () => {
      await using opened = await open();
      const id = await opened.addUser('bob');
      const [former, latest] = [await get(opened, id, first), await get(opened, id, second)];
      const isOpen = async (token: string) =>
        (await opened.get(`/auth/reset-password?token=${token}`)).statusCode === 200;
      assert.deepEqual([await isOpen(former), await isOpen(latest)], [works, true]);
    });

  test('by an administrator replaces one whose mail waits', async () => {
    await using opened = await open();
    const id = await opened.addUser('bob');
    // Commands leave it to the server to send.
    const { administration, outbox } = opened.services;
    await administration.sendReset({ userId: id });
    opened.pass(61_000);
    await administration.sendReset({ userId: id });
    assert.equal((await Array.fromAsync(outbox.list())).length, 1);
    await opened.mails();
    assert.equal((await opened.services.tokens.listOf(id)).length, 1);
  });
});
