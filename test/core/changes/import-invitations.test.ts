import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Insertable } from 'kysely';
import { demoHash } from '../../../src/commands/demo-users.ts';
import { createImportInvitations } from '../../../src/core/changes/import-invitations.ts';
import { mostMails } from '../../../src/core/mail/limits.ts';
import type { AdmitInvitation } from '../../../src/core/ports.ts';
import { createMayGive } from '../../../src/core/users/may-give.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { rows, type Tables } from '../../../src/ground/database/schema.ts';
import { addTo } from '../../capabilities/admin/administrator.ts';
import { insertSample } from '../../ground/database/sample-rows.ts';
import { startJanua, type TestOptions } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';

const minute = 60_000;
const byOperator = { caller: { route: 'janua users import', operator: 'root' } };

async function open(options: TestOptions = {}) {
  const janua = await startJanua(options);
  const { services } = janua;
  const { imports = assert.fail(), importUsers = assert.fail(), importInvitations = assert.fail() } = services;
  // The server's own task looks once when it starts. A look that is late would invite the users of the test.
  await importInvitations.settled();
  const list = async () =>
    (await imports.list(9, undefined)).map(({ added, invited, waiting }) => ({ added, invited, waiting }));
  return {
    ...janua,
    ...{ list, settle: importInvitations.settled },
    async add(names: readonly string[], actorId?: string, more: object = {}) {
      const made = imports.begin('people.csv', true);
      const users = names.map((name) => ({
        ...{ username: `${name}@example.com`, firstName: name, lastName: '', groups: [], passwordHash: '' },
        ...{ demo: false, addressProof: 'import' as const, ...more },
      }));
      const actor = actorId === undefined ? byOperator : { actorId, caller: { route: 'import' } };
      await importUsers(users, { import: made, actor, isRehearsal: false });
      return made.id;
    },
    mailed: async () =>
      (await janua.mails())
        .filter(({ link }) => link?.includes('/auth/sign-up/finish'))
        .map(({ to }) => String(to).replace(/@.*/, ''))
        .sort(),
    /** Another task for the same users, as of another process. */
    create(change: (admit: AdmitInvitation) => AdmitInvitation) {
      const { database, users, outbox, audit, log, now, holdAny } = services;
      const findAccount = (id: string, db?: typeof database) => (db ? users.lock(id, db) : users.findById(id));
      const { admitInvitation = assert.fail() } = services.ports;
      const findAdmit = () => change(admitInvitation);
      const mayGive = createMayGive(findAccount);
      const task = createImportInvitations({
        ...{ database, holdAny, findAccount, mayGive, findAdmit, outbox, audit, log, now },
      });
      task.start();
      return task;
    },
  };
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`invitations after an import in ${engine}`, { skip: missing(engine) }, () => {
    const options: TestOptions = { stores: { users: engine, sessions: 'SQL' } };

    test('go to the users who cannot sign in, and prove the address', async () => {
      await using opened = await open(options);
      const { add, settle, mailed, list, services } = opened;
      const id = await add(['new']);
      await add(['hashed'], undefined, { passwordHash: demoHash });
      await add(['disabled'], undefined, { disabled: true });
      assert.deepEqual(
        (await list()).map(({ waiting }) => waiting),
        [0, 0, 1],
      );
      await settle();
      assert.deepEqual(await mailed(), ['new']);
      const nobody = { added: 1, invited: 0, waiting: 0 };
      assert.deepEqual(await list(), [nobody, nobody, { added: 1, invited: 1, waiting: 0 }]);
      const [event] = await opened.events({ kind: 'user-invited' });
      assert.deepEqual([event?.reason, event?.about, event?.caller.operator], ['imported', id, 'root']);
      const token = await opened.tokenTo('new@example.com');
      const names = { first_name: 'New', last_name: 'N', password: 'a long enough passphrase' };
      assert.equal((await opened.post('/api/sign-up/finish', { token, ...names })).statusCode, 201);
      assert.equal((await services.users.findByUsername('new@example.com'))?.isAddressVerified, true);
    });

    test('end with what lets the user in, with the user and with the import', async () => {
      await using opened = await open(options);
      const { add, settle, mailed, list, services, create } = opened;
      const { administration, database } = services;
      const id = await add(['enabled', 'disabled', 'password', 'linked', 'removed', 'moved']);
      const idOf = async (name: string) =>
        (await services.users.findByUsername(`${name}@example.com`))?.user.id ?? assert.fail();
      await administration.disable('disabled@example.com');
      await administration.setPassword('password@example.com', 'a long enough passphrase');
      await insertSample(database, 'janua_identities', { subject: 'x', user_id: await idOf('linked') });
      await administration.remove('removed@example.com');
      await administration.setAddress('moved@example.com', 'new@example.com');
      await settle();
      assert.deepEqual(await mailed(), ['enabled', 'new']);
      assert.deepEqual(await list(), [{ added: 6, invited: 2, waiting: 0 }]);
      await database.deleteFrom('janua_users').where('import_id', '=', id).execute();

      const undone = await add(['first', 'second']);
      const task = create((admit) => async (...asked) => {
        const queue = await admit(...asked);
        // The administrator undoes the import just before the user is invited.
        await administration.undoImport(undone).catch(() => {});
        return queue;
      });
      await task.settled();
      assert.deepEqual(await mailed(), ['enabled', 'new']);
    });

    test('are judged again under the lock of the account', async () => {
      await using opened = await open(options);
      const { add, mailed, list, services, create } = opened;
      await add(['late']);
      const task = create((admit) => async (...asked) => {
        const queue = await admit(...asked);
        await services.administration.setPassword('late@example.com', 'a long enough passphrase');
        return queue;
      });
      await task.settled();
      assert.deepEqual([await mailed(), await list()], [[], [{ added: 1, invited: 0, waiting: 0 }]]);
    });

    test('are sent once each, whatever stops in the middle', async () => {
      await using opened = await open(options);
      const { add, settle, mailed, list, create } = opened;
      await add(['one', 'two', 'three']);
      let calls = 0;
      const stopped = create((admit) => async (...asked) => {
        const queue = await admit(...asked);
        return async (...account) => {
          await queue(...account);
          calls += 1;
          if (calls > 1) throw new Error('the process stops');
        };
      });
      await stopped.settled();
      assert.deepEqual(await list(), [{ added: 3, invited: 1, waiting: 2 }]);
      await settle();
      assert.deepEqual(await mailed(), ['one', 'three', 'two']);
      assert.deepEqual(await list(), [{ added: 3, invited: 3, waiting: 0 }]);
    });

    test('are sent once each by two processes, even without the lease', async () => {
      await using opened = await open(options);
      const { add, settle, mailed, list, services, create } = opened;
      await add(['one', 'two']);
      const slow = create((admit) => async (...asked) => {
        const queue = await admit(...asked);
        await services.database.deleteFrom('janua_leases').where('name', '=', 'import-invitations').execute();
        await settle();
        return queue;
      });
      await slow.settled();
      assert.deepEqual(await mailed(), ['one', 'two']);
      assert.deepEqual(await list(), [{ added: 2, invited: 2, waiting: 0 }]);
      assert.equal((await opened.events({ kind: 'user-invited' })).length, 2);
    });

    test('end when the administrator may no longer invite the user', async () => {
      await using opened = await open(options);
      const { add, settle, mailed, list, services } = opened;
      await services.groups.add({ name: 'helpers', description: '', scopes: ['users:write'] });
      await services.groups.add({ name: 'staff', description: '', scopes: [] });
      const demoted = await addTo(opened, 'demoted@example.com', ['admins']);
      const disabled = await addTo(opened, 'disabled@example.com', ['admins']);
      await addTo(opened, 'other@example.com', ['admins']);
      await add(['staff'], demoted, { groups: ['staff'] });
      await add(['plain'], demoted);
      await add(['lost'], disabled);
      await services.administration.setGroups('demoted@example.com', ['helpers']);
      await services.administration.disable('disabled@example.com');
      await settle();
      assert.deepEqual(await mailed(), ['plain']);
      assert.deepEqual(
        (await list()).map(({ waiting }) => waiting),
        [0, 0, 0],
      );
      const lost = await services.database
        .selectFrom('janua_users')
        .select('address_proof')
        .where('username', '=', 'staff@example.com')
        .executeTakeFirst();
      assert.equal(lost?.address_proof, 'import');
    });

    test('reach the other users if one cannot be invited', async () => {
      await using opened = await open(options);
      const { add, list, mailed, create } = opened;
      await add(['one', 'two', 'three']);
      let broken: string | undefined;
      const task = create((admit) => (username, ...rest) => {
        broken ??= username;
        if (username === broken) throw new TypeError('of no known kind');
        return admit(username, ...rest);
      });
      await task.settled();
      assert.equal((await mailed()).length, 2);
      assert.deepEqual(await list(), [{ added: 3, invited: 2, waiting: 1 }]);
    });

    test('leave room for other mails, and keep the limit of an administrator', async () => {
      await using opened = await open({ ...options, time: Date.UTC(2026, 0, 1), settings: { THROTTLE: 'on' } });
      const { add, settle, list, services, pass } = opened;
      const names = Array.from({ length: 25 }, (_, index) => `user${index}`);
      const party = 'user:operator';
      // In one transaction, because the work in the background may look at any time.
      const replace = (count: number, values: object) => {
        const mail = {
          ...(rows.janua_mails as Insertable<Tables['janua_mails']>),
          due_at: services.now(),
          party,
          ...values,
        };
        const mails = Array.from({ length: count }, (_, index) => ({ ...mail, id: `waiting${index}` }));
        return services.database.transaction().execute(async (db) => {
          await db.deleteFrom('janua_mails').where('id', 'like', 'waiting%').execute();
          await insertAll(db, 'janua_mails', mails);
        });
      };
      const invited = async (count: number, values: object) => {
        await replace(count, values);
        await settle();
        return (await list())[0]?.invited;
      };
      await replace(60, {});
      await add(names, await addTo(opened, 'maker@example.com', ['admins']));
      assert.equal(await invited(60, {}), 0, 'mails of commands are due');
      const later = { due_at: services.now() + 60 * minute };
      assert.equal(await invited(mostMails.ofImports - 40, later), 0, 'mails of commands await a further try');
      assert.equal(await invited(150, { party: 'network' }), 20, 'mails of others wait');
      assert.deepEqual(await list(), [{ added: 25, invited: 20, waiting: 5 }]);
      await settle();
      assert.deepEqual(await list(), [{ added: 25, invited: 20, waiting: 5 }]);
      assert.equal((await opened.events({ kind: 'mail-not-sent' })).length, 1, 'the maker pauses');
      pass(4 * minute);
      await settle();
      assert.deepEqual(await list(), [{ added: 25, invited: 21, waiting: 4 }]);
    });
  });

test('an import that invites is refused at once where no mail is sent', async () => {
  await using opened = await open({ overrides: { demoMailbox: false } });
  await assert.rejects(opened.add(['new']), { code: 'no-mail', message: 'Set MAIL_URL first.' });
  assert.deepEqual(await opened.list(), []);
});
