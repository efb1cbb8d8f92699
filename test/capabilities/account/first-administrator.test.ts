import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  firstAdministrator,
  issueFirstAdministrator,
  lacksAdministrator,
} from '../../../src/core/changes/first-administrator.ts';
import type { Held } from '../../../src/core/users/held.ts';
import { ann, caller, startJanua, type TestJanua, type TestOptions } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { sessionCookie } from '../../web/faces.ts';

const zoe = { email: 'zoe@example.com', first_name: 'Zoe', last_name: 'Zimmer', password: 'a quiet harbour town' };
const faces = ['/auth/first-administrator', '/api/first-administrator'] as const;

async function issue({ services, now }: TestJanua): Promise<string> {
  return (await issueFirstAdministrator(services.database, now)) ?? assert.fail('no link');
}

const imported = {
  username: 'imported@example.com',
  firstName: 'I',
  lastName: 'M',
  passwordHash: '',
  demo: false,
  groups: ['admins'],
} as const;

const groupsOf = async (janua: TestJanua, username: string) => (await janua.account(username)).user.groups;

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the first administrator, in ${users}`, { skip: missing(users) }, () => {
    const open = (options: TestOptions = {}) => startJanua({ stores: { users, sessions: 'SQL' }, ...options });

    test('is made by the link, once, and is signed in', async () => {
      for (const face of faces) {
        await using janua = await open();
        const token = await issue(janua);
        assert.equal((await janua.get(`${face}?token=${token}`)).statusCode, 200);
        const answer = await janua.post(face, { token, ...zoe });
        assert.equal(answer.statusCode, face.startsWith('/api') ? 201 : 303, answer.body);
        assert.equal((await janua.get('/api/admin', { cookie: `session=${sessionCookie(answer)}` })).statusCode, 200);
        assert.deepEqual(await groupsOf(janua, zoe.email), ['admins']);
        assert.equal((await janua.post(face, { token, ...zoe, email: 'late@example.com' })).statusCode, 410);
        assert.equal((await janua.get(`${face}?token=${token}`)).statusCode, 410);
        assert.equal(await issueFirstAdministrator(janua.services.database), undefined);
        const kinds = await janua.kinds(/^(?:first-administrator-added|user-groups-changed|address-verified)$/);
        assert.deepEqual(kinds.toSorted(), ['address-verified', 'first-administrator-added', 'user-groups-changed']);
      }
    });

    test('is one, when several use the link at the same time', async () => {
      await using janua = await open();
      const token = await issue(janua);
      const tries = Array.from({ length: 6 }, (_, index) =>
        janua.post(faces[1], { token, ...zoe, email: `zoe${index}@example.com` }),
      );
      const statuses = (await Promise.all(tries)).map(({ statusCode }) => statusCode).toSorted();
      assert.deepEqual(statuses, [201, 410, 410, 410, 410, 410]);
    });

    test('is not made by the link of an earlier start, or of another replica', async () => {
      await using janua = await open();
      const [first, second] = await Promise.all([issue(janua), issue(janua)]);
      const works: number[] = [];
      for (const token of [first, second]) works.push((await janua.get(`${faces[1]}?token=${token}`)).statusCode);
      assert.deepEqual(works.toSorted(), [200, 410]);
      const again = await issue(janua);
      for (const token of [first, second])
        assert.equal((await janua.post(faces[1], { token, ...zoe })).statusCode, 410);
      assert.equal((await janua.post(faces[1], { token: again, ...zoe })).statusCode, 201);
    });

    test('is not made once there is another administrator, even a disabled one', async () => {
      const makers: ((janua: TestJanua) => Promise<unknown>)[] = [
        ({ services }) => services.administration.setGroups(ann.username, ['admins']),
        ({ services }) =>
          services.importUsers?.([imported], {
            import: { id: 'first', label: '', invites: false },
            actor: { caller },
            isRehearsal: false,
          }) ?? assert.fail(),
      ];
      for (const make of makers) {
        await using janua = await open();
        const token = await issue(janua);
        await make(janua);
        assert.equal((await janua.get(`${faces[0]}?token=${token}`)).statusCode, 410);
        assert.equal((await janua.post(faces[1], { token, ...zoe })).statusCode, 410);
        assert.equal(await janua.services.users.findByUsername(zoe.email), undefined);
        await janua.services.database.updateTable('janua_users').set({ disabled: 1 }).execute();
        assert.equal(await issueFirstAdministrator(janua.services.database), undefined);
      }
    });
  });
}

test('the first administrator is made by a fresh link alone', async () => {
  await using janua = await startJanua();
  const token = await issue(janua);
  janua.pass(60 * 60_000);
  assert.equal((await janua.post(faces[1], { token, ...zoe })).statusCode, 410);
  for (const token of ['', 'x'.repeat(43)]) {
    assert.equal((await janua.get(`${faces[0]}?token=${token}`)).statusCode, 410);
    assert.equal((await janua.post(faces[0], { token, ...zoe })).statusCode, 410);
  }
  const rows = await janua.services.database.selectFrom('janua_tokens').selectAll().execute();
  assert.deepEqual(
    rows.map(({ purpose, hash }) => [purpose, hash === token]),
    [[firstAdministrator, false]],
  );
});

test('the link of the first administrator survives a refused form', async () => {
  await using janua = await startJanua();
  const token = await issue(janua);
  for (const [field, value] of [
    ['email', ann.username],
    ['email', 'no address'],
    ['first_name', ' '],
    ['password', 'short'],
    ['password', 'zoe@example.com'],
  ] as const) {
    const answer = await janua.post(faces[1], { token, ...zoe, [field]: value });
    assert.deepEqual([answer.statusCode, answer.json().errors[0].field], [422, field]);
    assert.equal((await janua.post(faces[0], { token, ...zoe, [field]: value })).statusCode, 422);
  }
  assert.equal((await janua.post(faces[1], { token, ...zoe })).statusCode, 201);
});

test('there is no link for a first administrator where a setting has named administrators', async () => {
  await using janua = await startJanua();
  const { database } = janua.services;
  const token = await issue(janua);
  {
    // Without the setting, the next server adds her again.
    await janua.people.remove(ann.username);
    await using later = await startJanua({
      settings: { DATABASE_URL: janua.databaseUrl, ADMINISTRATORS: ['boss@example.com'] },
    });
    assert.equal((await later.post(faces[1], { token, ...zoe })).statusCode, 410);
  }
  assert.equal(await lacksAdministrator(database), false);
  assert.equal(await issueFirstAdministrator(database), undefined);
});

test('the administrator of the demo keeps nobody from becoming the first one', async () => {
  await using janua = await startJanua();
  const { services } = janua;
  const makeAdministrator = async (held: Held) => services.groups.setGroupsOf(held, () => ['admins']);
  const { groups: _, ...demo } = { ...imported, demo: true };
  await services.holdNew?.(demo, makeAdministrator, { groups: true });
  const token = await issue(janua);
  assert.equal((await janua.post(faces[1], { token, ...zoe })).statusCode, 201);
});
