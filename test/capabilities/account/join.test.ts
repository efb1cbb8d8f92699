import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { joinPath } from '../../../src/core/users/invite-limits.ts';
import { InviteLinkOver } from '../../../src/core/users/invite-links.ts';
import { password, startJanua, type TestOptions } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { addTo } from '../admin/administrator.ts';

const caller = { route: 'test' };
const names = { first_name: 'Ann', last_name: 'A', password };

async function open(options: TestOptions = {}) {
  const janua = await startJanua({ ...options, settings: { SIGN_UP: 'off', ...options.settings } });
  const { services } = janua;
  await services.groups.add({ name: 'helpers', description: '', scopes: ['users:read', 'users:write'] });
  await services.groups.add({ name: 'staff', description: '', scopes: ['audit:read'] });
  const makerId = await addTo(janua, 'maker@example.com', ['helpers', 'staff']);
  /** Makes a link, and gives its id and its secret. */
  async function make(more: object = {}, actorId: string | undefined = makerId) {
    const link = { label: 'Course', groups: ['staff'], uses: 3, days: 7, domain: '', ...more };
    const actor = { caller, ...(actorId && { actorId }) };
    const { id, path } = await services.administer(actor).addInviteLink(link);
    return { id, token: path.replace(`${joinPath}?token=`, '') };
  }
  const begin = async (token: string, email: string) => (await janua.post('/api/join', { token, email })).statusCode;
  const finish = async (token: string) => (await janua.post('/api/sign-up/finish', { token, ...names })).statusCode;
  return {
    ...janua,
    ...{ makerId, make, begin, finish },
    async join(token: string, email: string): Promise<number> {
      const status = await begin(token, email);
      return status === 202 ? finish(await janua.tokenTo(email)) : status;
    },
    groupsOf: async (email: string) => (await services.users.findByUsername(email))?.user.groups,
    usedOf: async (id: string) =>
      (await services.inviteLinks?.list(50, undefined))?.find((link) => link.id === id)?.used,
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`a link for many in ${engine}`, { skip: missing(engine) }, () => {
    const options: TestOptions = { stores: { users: engine, sessions: 'SQL' } };

    test('lets users in once their mail is proved, into its groups, where SIGN_UP is off', async () => {
      await using opened = await open(options);
      const { make, begin, join, finish, groupsOf, usedOf, services } = opened;
      const { id, token } = await make();
      assert.equal(await begin(token, 'new@example.com'), 202);
      assert.equal(await groupsOf('new@example.com'), undefined);
      assert.equal(await usedOf(id), 0);
      const mailed = await opened.tokenTo('new@example.com');
      assert.notEqual(mailed, token);
      assert.equal(await finish(token), 410, 'the link itself proves no address');
      assert.equal(await finish(mailed), 201);
      assert.equal(await finish(mailed), 410);
      const refused = await opened.events({ kind: 'link-refused' });
      assert.deepEqual(
        refused.map(({ reason }) => reason),
        [undefined, undefined],
        'the links of mails',
      );
      assert.deepEqual([await groupsOf('new@example.com'), await usedOf(id)], [['staff'], 1]);
      const account = await services.users.findByUsername('new@example.com');
      assert.deepEqual([account?.isAddressVerified, account?.scopes], [true, ['audit:read']]);
      const [event] = await opened.events({ kind: 'signed-up' });
      assert.equal(event?.about, `${id} staff`);
      const stored = await services.database.selectFrom('janua_invite_links').selectAll().execute();
      assert.ok(!JSON.stringify(stored).includes(token));
      assert.equal(await join('x'.repeat(43), 'other@example.com'), 410);
    });

    test('counts its uses with the users that it adds, however many come at once', async () => {
      await using opened = await open(options);
      const { services, make, usedOf } = opened;
      const { id } = await make();
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) => {
          const user = {
            username: `u${index}@example.com`,
            firstName: '',
            lastName: '',
            passwordHash: 'x',
            demo: false,
          };
          const use = async (held: Parameters<NonNullable<typeof services.inviteLinks>['use']>[0]) =>
            services.inviteLinks?.use(held, id);
          return services.holdNew?.(user, use, { groups: true }) ?? assert.fail();
        }),
      );
      const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      assert.equal(failed.length, 47);
      for (const reason of failed) assert.ok(reason instanceof InviteLinkOver, String(reason));
      const users = (await Array.fromAsync(services.users.list())).filter(({ username }) => username.startsWith('u'));
      assert.deepEqual([users.length, await usedOf(id)], [3, 3]);
      assert.equal(await services.inviteLinks?.findById(id), undefined);
    });

    /** Each ends a link, and the mails that it has caused. */
    const ends: Readonly<Record<string, (opened: Opened, id: string) => Promise<unknown>>> = {
      'it is revoked': ({ services }, id) => services.administration.revokeInviteLink(id),
      'its time is over': async ({ pass }) => pass(7 * 86_400_000 + 1),
      'its maker is disabled': ({ services }) => services.administration.disable('maker@example.com'),
      'its maker was disabled and enabled': async ({ services }) => {
        await services.administration.disable('maker@example.com');
        await services.administration.enable('maker@example.com');
      },
      'its maker is removed': ({ services }) => services.administration.remove('maker@example.com'),
      'its maker gets a new password': ({ services }) =>
        services.administration.setPassword('maker@example.com', 'a long enough passphrase'),
      'its maker lost the group': ({ services }) =>
        services.administration.changeGroups('maker@example.com', { remove: ['staff'] }),
      'its maker may no longer add users': ({ services }) =>
        services.administration.changeGroups('maker@example.com', { remove: ['helpers'] }),
      'its group is gone': ({ services }) => services.groups.remove('staff'),
    };
    for (const [about, end] of Object.entries(ends))
      test(`ends when ${about}, also for users who have its mail`, async () => {
        await using opened = await open(options);
        const { make, begin, finish, groupsOf, services } = opened;
        const { id, token } = await make();
        assert.equal(await begin(token, 'new@example.com'), 202);
        const mailed = await opened.tokenTo('new@example.com');
        // Found by the page before the end, so only the transaction can refuse the user.
        await end(opened, id);
        const user = { username: 'late@example.com', firstName: '', lastName: '', passwordHash: 'x', demo: false };
        const late = services.holdNew?.(user, async (held) => services.inviteLinks?.use(held, id), { groups: true });
        await assert.rejects(late ?? assert.fail(), InviteLinkOver);
        assert.equal(await finish(mailed), 410);
        assert.equal(await begin(token, 'other@example.com'), 410);
        const refused = await opened.events({ kind: 'link-refused' });
        assert.deepEqual(
          refused.map(({ reason }) => reason),
          // The mail of a link lasts a day, and is over before the link.
          [about === 'its time is over' ? undefined : 'for-many', 'for-many'],
        );
        assert.deepEqual(
          [await groupsOf('new@example.com'), await groupsOf('late@example.com')],
          [undefined, undefined],
        );
      });
  });

test('a link of a command lasts, and a link gives nothing that its maker lacks, and never admins', async () => {
  await using opened = await open();
  const { services, make, join, groupsOf, makerId } = opened;
  await services.administration.changeGroups('maker@example.com', { add: ['admins'] });
  for (const actorId of [makerId, ''])
    await assert.rejects(make({ groups: ['admins'] }, actorId), /makes no administrators/);
  await assert.rejects(make({ groups: ['nobody'] }), { code: 'no-such-group' });
  const { token } = await make({}, '');
  await services.administration.remove('maker@example.com').catch(() => {});
  assert.equal(await join(token, 'new@example.com'), 201);
  assert.deepEqual(await groupsOf('new@example.com'), ['staff']);
});

test('a link adds nobody whom ADMINISTRATORS lists, unless its maker is a member of admins', async () => {
  await using opened = await open({ settings: { ADMINISTRATORS: ['boss@example.com', 'chief@example.com'] } });
  const { services, make, join, groupsOf } = opened;
  assert.equal(await join((await make({ groups: [] })).token, 'boss@example.com'), 410);
  assert.equal(await groupsOf('boss@example.com'), undefined);
  assert.deepEqual(
    (await opened.events({ kind: 'link-refused' })).map(({ reason }) => reason),
    ['for-many'],
  );
  await services.administration.changeGroups('maker@example.com', { add: ['admins'] });
  assert.equal(await join((await make({ groups: [] })).token, 'chief@example.com'), 201);
});

test('a link with a domain refuses other addresses, and a link says nothing of who has an account', async () => {
  await using opened = await open();
  const { make, begin } = opened;
  const { token } = await make({ domain: 'example.org' });
  assert.equal(await begin(token, 'new@example.com'), 422);
  assert.equal(await begin(token, 'new@example.org'), 202);
  const { token: any } = await make();
  for (const email of ['maker@example.com', 'nobody@example.com']) assert.equal(await begin(any, email), 202, email);
});

test('mails that a link causes count like those of strangers', async () => {
  await using opened = await open({ settings: { THROTTLE: 'on' } });
  const { token } = await opened.make({ uses: 100 });
  for (let index = 0; index < 25; index += 1) await opened.begin(token, `p${index}@example.com`);
  const refused = await opened.events({ kind: 'mail-not-sent' });
  assert.equal(refused.length, 5);
});

test('the page keeps the token out of its address after the mail, and out of the log', async () => {
  await using opened = await open();
  const { token } = await opened.make();
  const page = await opened.get(`${joinPath}?token=${token}`);
  assert.match(page.body, new RegExp(`action="/auth/join".*name="token" value="${token}"`, 's'));
  assert.equal(page.headers['referrer-policy'], 'strict-origin');
  const sent = await opened.post(joinPath, { token, email: 'new@example.com' });
  assert.deepEqual([sent.statusCode, sent.headers.location], [303, `${joinPath}?state=1`]);
  assert.match((await opened.get(`${joinPath}?state=1`)).body, /Check your mail/);
  assert.equal((await opened.get(joinPath)).statusCode, 410);
  assert.ok(!JSON.stringify(await opened.events({})).includes(token));
});
