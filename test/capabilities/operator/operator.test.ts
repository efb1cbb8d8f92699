import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noteBackup } from '../../../src/ground/database/kept-backups.ts';
import { clockTolerance } from '../../../src/ground/faults/clock.ts';
import { queueOf } from '../../core/mail/post-office.ts';
import { startScriptedSmtp } from '../../core/mail/scripted-smtp.ts';
import { ann, password, startJanua, type TestOptions } from '../../janua.ts';

const hour = 60 * 60 * 1000;
const operator = 'operator@example.com';

/** A server that tells the operator, and its clock. */
async function open(others: TestOptions['settings'] = {}, told: TestOptions['settings'] = { OPERATOR_MAIL: operator }) {
  const janua = await startJanua({ settings: { ...told, ...others } });
  const { services } = janua;
  let seen = 0;
  services.ports.start();
  /** Looks for what has changed, as the server does every ten minutes, and gives the mails since the last call. */
  async function look(): Promise<string[]> {
    await services.ports.clean();
    const mails = (await janua.mails(operator)).toReversed();
    const later = mails.slice(seen).map(({ subject, text }) => `${subject}: ${text}`);
    seen = mails.length;
    return later;
  }
  await look();
  return {
    ...janua,
    look,
    addUser: (name: string, groups: readonly string[] = []) =>
      services.administration.add({
        ...{ username: `${name}@example.com`, firstName: name, lastName: 'X' },
        ...{ password, groups },
      }),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

const named = (mails: readonly string[]) =>
  mails.map((mail) => /^New administrator: .* administrators: (.*?)\. If you/.exec(mail.replaceAll(/\s+/g, ' '))?.[1]);

describe('the operator is told', () => {
  const ways: Readonly<Record<string, (opened: Opened) => Promise<unknown>>> = {
    'is put into admins': ({ services }) => services.administration.changeGroups(ann.username, { add: ['admins'] }),
    'is in a group that gets a scope of administrators': async ({ services: { administration } }) => {
      await administration.addGroup({ name: 'helpers', description: '', scopes: [] });
      await administration.changeGroups(ann.username, { add: ['helpers'] });
      await administration.setScopes('helpers', ['audit:read']);
    },
    'is a member by a statement of another program': async ({ services: { database, users } }) => {
      const { user } = (await users.findByUsername(ann.username)) ?? assert.fail();
      const row = { id: 'x', group_name: 'admins', user_id: user.id, username: user.username };
      await database.insertInto('janua_memberships').values(row).execute();
    },
  };
  for (const [way, change] of Object.entries(ways))
    test(`when a user ${way}`, async () => {
      await using opened = await open();
      await change(opened);
      assert.deepEqual(named(await opened.look()), [ann.username]);
      assert.deepEqual(await opened.look(), []);
      const events = await opened.events({ kind: 'operator-told' });
      assert.deepEqual(
        events.map((event) => event.reason),
        ['administrator-added'],
      );
    });

  test('when a setting names a user, who is added later', async () => {
    await using opened = await open({ ADMINISTRATORS: ['bob@example.com'] });
    await opened.addUser('bob');
    assert.deepEqual(named(await opened.look()), ['bob@example.com']);
  });

  test('not about a disabled user, until the user is enabled', async () => {
    await using opened = await open();
    const { administration } = opened.services;
    await opened.addUser('cid');
    // Before the rights, because each of these changes begins a check that the test does not wait for.
    await administration.disable('cid@example.com');
    await administration.changeGroups('cid@example.com', { add: ['admins'] });
    opened.pass(25 * hour);
    assert.deepEqual(await opened.look(), []);
    await administration.enable('cid@example.com');
    assert.deepEqual(named(await opened.look()), ['cid@example.com']);
  });

  test('not about those who were administrators at first, about each new one, and again about one who returns', async () => {
    await using opened = await open();
    const { services, look, addUser } = opened;
    await addUser('bob', ['admins']);
    assert.deepEqual(named(await look()), ['bob@example.com']);
    assert.deepEqual(await look(), []);
    await addUser('cid', ['admins']);
    await addUser('dan', ['admins']);
    assert.deepEqual(await look(), [], 'they wait, to be one mail');
    opened.pass(hour);
    assert.deepEqual(
      named(await look())[0]
        ?.split(', ')
        .toSorted(),
      ['cid@example.com', 'dan@example.com'],
    );
    await services.administration.changeGroups('cid@example.com', { remove: ['admins'] });
    assert.deepEqual(await look(), []);
    await services.administration.changeGroups('cid@example.com', { add: ['admins'] });
    assert.deepEqual(named(await look()), ['cid@example.com']);
  });

  test('again about one who returns because a group was removed and made anew', async () => {
    await using opened = await open();
    const { administration } = opened.services;
    async function addHelper(): Promise<void> {
      await administration.addGroup({ name: 'helpdesk', description: '', scopes: ['users:write'] });
      await administration.changeGroups(ann.username, { add: ['helpdesk'] });
    }
    await addHelper();
    assert.deepEqual(named(await opened.look()), [ann.username]);
    await administration.removeGroup('helpdesk');
    assert.deepEqual(await opened.look(), []);
    await addHelper();
    await opened.look();
    opened.pass(hour);
    assert.deepEqual(named(await opened.look()), [ann.username]);
  });

  test('of a backup that failed or is old, each day, if there was one by --keep', async (t) => {
    await using opened = await open({ LANGUAGE: 'de' });
    const { services, look, pass } = opened;
    process.env.JANUA_COMMAND = 'janua-admin';
    t.after(() => delete process.env.JANUA_COMMAND);
    assert.deepEqual(await look(), []);
    const base = Date.now();
    await noteBackup(services.database, 'succeeded', base);
    pass(25 * hour);
    assert.deepEqual(await look(), []);
    await noteBackup(services.database, 'failed', base + 24 * hour);
    const [mail = ''] = await look();
    assert.match(
      mail,
      /^Eine Sicherung fehlt: [\s\S]*erfolgreiche: \d+\. [\s\S]*: janua-admin backup\s--keep 7 ORDNER/,
    );
    assert.deepEqual(await look(), []);
    await noteBackup(services.database, 'succeeded', base + 25 * hour);
    pass(24 * hour);
    assert.deepEqual(await look(), []);
    pass(3 * hour);
    assert.equal((await look()).length, 1);
  });

  test('of a backup that failed or is old, even if the one before it was made in the future', async () => {
    await using opened = await open();
    const { services, look, pass } = opened;
    const base = Date.now();
    await noteBackup(services.database, 'succeeded', base + 365 * 24 * hour);
    assert.match((await look()).join(), /never/);
    await noteBackup(services.database, 'succeeded', base + 24 * hour + clockTolerance - 1000);
    pass(24 * hour);
    assert.deepEqual(await look(), [], 'clocks may differ by that much');
    await noteBackup(services.database, 'failed', base + 24 * hour);
    assert.equal((await look()).length, 1);
  });

  test('of lost events of the audit, and of a key that cannot be read, once', async () => {
    await using opened = await open();
    const { services, look } = opened;
    const { schema } = services.database;
    await schema.alterTable('janua_audit').renameTo('away').execute();
    for (let times = 0; times < 3; times += 1)
      await services.audit.recordIfPossible({ kind: 'mail-tested', caller: { route: 'x' } });
    await schema.alterTable('away').renameTo('janua_audit').execute();
    for (let times = 0; times < 3; times += 1)
      assert.equal(services.cipher.decrypt('1.unknown.abc', 'context'), undefined);
    const mails = await look();
    assert.deepEqual(mails.map((mail) => mail.split(':', 1)[0]).toSorted(), [
      'A key cannot be read',
      'Events of the audit were lost',
    ]);
    assert.deepEqual(await look(), []);
  });

  for (const [minutes, expected] of [
    [59, 0],
    [61, 1],
  ] as const)
    test(`${expected === 0 ? 'not ' : ''}when mail works again after ${minutes} minutes`, async () => {
      await using smtp = await startScriptedSmtp();
      const mail = { MAIL_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'janua@example.com' };
      await using opened = await open(mail);
      const { mail: sender } = opened.services;
      smtp.direct(() => 'close');
      await queueOf(opened.services).add({ purpose: 'account-deleted', address: 'x@example.com', language: 'en' });
      await sender?.settled();
      opened.pass(minutes * 60_000);
      smtp.direct(() => undefined);
      await smtp.waitFor(1);
      await sender?.settled();
      if (expected > 0) await smtp.waitFor(2);
      const told = smtp.received.filter(({ to }) => to[0] === operator);
      assert.equal(told.length, expected);
      if (expected > 0) assert.match(told[0]?.data ?? '', /^Subject: Mail could not be sent$/m);
    });

  test('no more once the setting is gone: what waits is dropped', async () => {
    await using opened = await open({}, {});
    await opened.addUser('bob', ['admins']);
    assert.deepEqual(await opened.look(), []);
    const { services } = opened;
    await queueOf(services).add({ purpose: 'operator-audit-lost', address: operator, language: 'en' });
    assert.deepEqual(await opened.look(), []);
    const events = await opened.events({ kind: 'mail-not-sent' });
    assert.deepEqual(
      events.map((event) => event.reason),
      ['outdated'],
    );
  });
});
