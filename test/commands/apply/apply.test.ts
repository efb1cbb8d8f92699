import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createIssuerKey } from '../../capabilities/oidc/machines/issuer.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { openApply } from './apply-host.ts';

const whole = `name: production
groups:
  - name: staff
    description: All employees
    scopes: [users:read, reports:read]
    claims: {department: research}
  - name: vault
    second_factor: true
resources:
  - uri: https://files.example.com
    scopes: [files:write, files:read]
    token_format: jwt
    alg: ES256
clients:
  - client_id: wiki
    name: Wiki
    redirect_uris: [https://wiki.example.com/b, https://wiki.example.com/a]
    post_logout_redirect_uris: [https://wiki.example.com/]
    groups: [vault, staff]
    own: true
    claims: ["roles=groups:staff=a,vault", "kind@userinfo=constant:a b = c", "dept=claim:department"]
  - client_id: phone.app
    name: Phone
    public: true
    redirect_uris: ["http://127.0.0.1/callback"]
    device: true
  - client_id: robot
    name: Robot
    machine: true
    machine_scopes: [users:read]
    within: [staff]
    may: ["https://files.example.com=files:read"]
    trusts: ["github:me/app,repository_id=42,environment=the real one", "issuer=https://ci.example.com,sub=job,once"]
  - client_id: signer
    name: Signer
    redirect_uris: [https://signer.example.com/callback]
    jwks: {keys: [${JSON.stringify(createIssuerKey('one').jwk)}]}
users:
  - username: Ann@example.com
    first_name: Ann
    last_name: Archer
    groups: [staff, admins]
    sub: b7c2f0de-0000-4000-8000-000000000001
  - {username: ben@example.com, first_name: Ben, last_name: Baker, handle: ben, claims: {level: 7}}
`;

const client = (id: string, more = '') =>
  `{client_id: ${id}, name: ${id}, redirect_uris: [https://${id}.example.com/callback]${more}}`;

const linkOf = (text: string) => /https:\/\/auth\.example\.com\S+token=[\w-]{43}/.exec(text)?.[0];

/** Opens the program of the file, as it is stored. */
async function openRobot(url: string) {
  const opened = await openTestDatabase(url);
  const { database } = opened;
  const robots = database.selectFrom('janua_clients').select('settings').where('id', '=', 'robot');
  const read = async () => JSON.parse((await robots.executeTakeFirstOrThrow()).settings);
  return {
    read,
    /** Notes users as those who granted what the program may do, and its trusts. */
    async write({ machine, may, trusts }: { machine: string; may?: object; trusts?: (string | undefined)[] }) {
      const settings = await read();
      const granted = {
        ...settings,
        machine: { ...settings.machine, ...(may && { may }), grantedBy: machine },
        ...(trusts && {
          trusts: settings.trusts.map((trust: object, index: number) => ({ ...trust, grantedBy: trusts[index] })),
        }),
      };
      const update = database.updateTable('janua_clients').where('id', '=', 'robot');
      await update.set({ settings: JSON.stringify(granted) }).execute();
    },
    async idOf(name: string): Promise<string> {
      const users = database.selectFrom('janua_users').select('id').where('login_name', '=', name);
      return (await users.executeTakeFirstOrThrow()).id;
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`janua apply on ${engine}`, { skip: missing(engine) }, () => {
    test('a rehearsal prints every field and changes nothing', async () => {
      await using server = await openApply(engine);
      const before = await server.export('--users');
      const { code, stdout } = await server.apply(whole, '--dry-run');
      assert.equal(code, 0, stdout);
      for (const line of [
        '+ group staff\n    description: "All employees"\n    scopes: ["reports:read","users:read"]\n',
        '+ client wiki\n    name: "Wiki"\n    redirect_uris: ["https://wiki.example.com/b","https://wiki.example.com/a"]\n',
        '+ resource https://files.example.com\n',
        '+ user ann@example.com\n    groups: ["admins","staff"]\n',
        'To do: 9 added, 0 changed, 0 removed. Nothing was changed.\n',
      ])
        assert.ok(stdout.includes(line), `${line} is not in ${stdout}`);
      assert.doesNotMatch(stdout, /secret|token=/);
      assert.equal(await server.export('--users'), before);
      assert.deepEqual(
        (await server.events()).filter((event) => !event.startsWith('users-exported')),
        [],
      );
    });

    test('a file is applied once, and again changes nothing', async () => {
      await using server = await openApply(engine);
      const first = await server.apply(whole);
      assert.equal(first.code, 0, first.text);
      assert.match(first.text, /client_secret of wiki: [\w-]{43}\nThe secrets are shown only now/);
      assert.ok(linkOf(first.text));
      assert.equal(first.text.match(/token=/g)?.length, 1, 'only the administrator gets a link');
      const events = await server.events();
      assert.ok(events.length > 8);
      assert.deepEqual([...new Set(events.map((event) => event.replace(/^\S+ /, '')))], ['by janua apply production']);
      assert.deepEqual(await server.apply(whole), { code: 0, stdout: 'No changes.\n', text: 'No changes.\n' });
      assert.deepEqual(await server.events(), events);
    });

    test('an export is applied to an empty server, which exports the same', async () => {
      await using one = await openApply(engine);
      await using other = await openApply(engine);
      assert.equal((await one.apply(whole)).code, 0);
      // By hand, with a random id.
      const typed = ['--name', 'By hand', '--redirect-uri', 'https://hand.example.com/callback', '--pkce', 'required'];
      assert.equal((await one.run(['clients', 'add', ...typed])).code, 0);
      const exported = await one.export('--users');
      assert.match(exported, /sub: b7c2f0de/);
      assert.match(exported, /claims:\n {6}department: research\n[\s\S]*claims:\n {6}level: 7\n/);
      assert.doesNotMatch(exported, /secret/);
      const applied = await other.apply(exported);
      assert.equal(applied.code, 0, applied.text);
      assert.equal(await other.export('--users'), exported);
      assert.equal((await one.apply(exported)).stdout, 'No changes.\n');
      assert.doesNotMatch(await one.export(), /users:\n|ann@example/);
    });

    test('a file with an entry that cannot be made so changes nothing', async () => {
      await using server = await openApply(engine);
      const broken: [entry: string, message: RegExp][] = [
        [`clients: [${client('one')}, ${client('two', ', groups: [nobody]')}]`, /^client two: groups: .*nobody/],
        [
          'users: [{username: ann@example.com, first_name: Ann, last_name: A, groups: [nobody]}]',
          /^user ann@example.com: There is no group nobody/,
        ],
        [
          'users: [{username: not an address, first_name: Ann, last_name: A}]',
          /^user not an address: A username must be/,
        ],
        ['groups: [{name: good, claims: {roles: [a]}}]', /^group good: The claim roles has a meaning/],
        ['groups: [{name: good}, {name: Bad}]', /^group Bad: The name of a group/],
        ['groups: [{name: good, scopes: [nothing:read]}]', /^group good: There is no scope nothing:read/],
        [`resources: [{uri: https://a.example.com, scopes: [a]}, {uri: here, scopes: [a]}]`, /^resource here: uri: /],
        [`clients: [${client('one')}, ${client('add')}]`, /^client add: The id add is taken/],
        [
          `clients: [${client('one')}]\nusers: [{username: ann@example.com, first_name: A, last_name: A, sub: one}]`,
          /^user ann@example.com: The sub one is the id of a client/,
        ],
      ];
      const before = await server.export('--users');
      const events = await server.events();
      for (const [entry, message] of broken) {
        const good = entry.startsWith('groups') ? '' : 'groups: [{name: good}]\n';
        const { code, text } = await server.apply(`name: production\n${good}${entry}`);
        assert.equal(code, 1, text);
        assert.match(text, message);
      }
      assert.equal(await server.export(), before);
      assert.deepEqual(
        (await server.events()).filter((event) => !event.startsWith('users-exported')),
        events.filter((event) => !event.startsWith('users-exported')),
      );
    });

    test('of two commands at a time, one waits and finds nothing to do', async () => {
      await using server = await openApply(engine);
      await server.write('janua.yaml', whole);
      const both = [1, 2].map(() => server.run(['apply', 'janua.yaml'], { alone: true }));
      const results = await Promise.all(both);
      assert.deepEqual(
        results.map(({ code }) => code),
        [0, 0],
        results.map(({ text }) => text).join(),
      );
      assert.equal(results.filter(({ stdout }) => stdout === 'No changes.\n').length, 1);
      const added = (await server.events()).filter((event) => event.startsWith('client-added'));
      assert.equal(added.length, 4);
    });

    test('a change beside it comes before or after, and loses nothing', async () => {
      await using server = await openApply(engine);
      assert.equal((await server.apply(whole)).code, 0);
      await server.write(
        'janua.yaml',
        whole.replace('name: Wiki', 'name: Pages').replace('All employees', 'Everybody'),
      );
      const beside = [
        ['clients', 'set', 'wiki', '--uri', 'https://wiki.example.com/start'],
        ['groups', 'scopes', 'vault', 'reports:read'],
        ['users', 'groups', 'ben@example.com', '--add', 'vault'],
        ['apply', 'janua.yaml'],
      ];
      const results = await Promise.all(beside.map((args) => server.run(args, { alone: true })));
      assert.deepEqual(
        results.map(({ code }) => code),
        [0, 0, 0, 0],
        results.map(({ text }) => text).join(),
      );
      const exported = await server.export('--users');
      for (const part of [
        'name: Pages',
        '/start',
        'description: Everybody',
        /name: vault\n\s+scopes:\n\s+- reports:read/,
        /ben@example[^@]+- vault/,
      ])
        assert.match(exported, new RegExp(part));
    });

    test('fields that the file does not have stay, and the others become so', async () => {
      await using server = await openApply(engine);
      assert.equal((await server.apply(whole)).code, 0);
      await server.run(['clients', 'set', 'wiki', '--uri', 'https://wiki.example.com/start', '--name', 'Notes']);
      await server.run(['groups', 'scopes', 'staff', 'reports:read']);
      const { stdout } = await server.apply(whole);
      assert.equal(
        stdout,
        '~ group staff\n    scopes: ["reports:read"] -> ["reports:read","users:read"]\n' +
          '~ client wiki\n    name: "Notes" -> "Wiki"\nDone: 0 added, 2 changed, 0 removed.\n',
      );
      assert.match(await server.export(), /client_uri: https:\/\/wiki\.example\.com\/start/);
      const changed = whole
        .replace('scopes: [files:write, files:read]', 'scopes: [files:read]')
        .replace('All employees', 'Everybody')
        .replace('first_name: Ben', 'first_name: Benjamin')
        .replace('groups: [staff, admins]', 'groups: [vault]');
      assert.equal(
        (await server.apply(changed)).stdout,
        '~ group staff\n    description: "All employees" -> "Everybody"\n' +
          '~ resource https://files.example.com\n    scopes: ["files:write","files:read"] -> ["files:read"]\n' +
          '~ user ann@example.com\n    groups: ["admins","staff"] -> ["admins","staff","vault"]\n' +
          '~ user ben@example.com\n    first_name: "Ben" -> "Benjamin"\nDone: 0 added, 4 changed, 0 removed.\n',
      );
    });

    test('only what a file of the same name has added is pruned, and nobody leaves a group', async () => {
      await using server = await openApply(engine);
      const made = (prefix: string) =>
        `groups: [{name: ${prefix}-empty}, {name: ${prefix}-full}, {name: ${prefix}-strict, second_factor: true}]\n` +
        `resources: [{uri: https://${prefix}.example.com, scopes: [a]}]\nclients: [${client(`${prefix}-app`)}]\n` +
        `users: [{username: ${prefix}@example.com, first_name: A, last_name: A, groups: [${prefix}-full, admins]}]\n`;
      assert.equal((await server.apply(`name: other\n${made('other')}`)).code, 0);
      assert.equal((await server.apply(`name: production\n${made('own')}`)).code, 0);
      await server.run(['groups', 'add', 'by-hand']);
      await server.run(['resources', 'add', 'https://hand.example.com', '--scopes', 'a']);
      await server.run(['clients', 'add', '--name', 'hand', '--redirect-uri', 'https://hand.example.com/callback']);
      // An object that was removed and added by hand is not the one that the file has added.
      await server.run(['groups', 'add', 'again']);
      const left = await server.export('--users');

      assert.equal((await server.apply('name: production')).stdout, 'No changes.\n');
      assert.equal(await server.export('--users'), left);
      const pruned = await server.apply('name: production', '--prune');
      assert.equal(
        pruned.stdout,
        '- client own-app\n- resource https://own.example.com\n- group own-empty\n' +
          '= group own-full: users are in it (1). To remove it: ./bin/janua groups remove own-full\n' +
          '= group own-strict: it demands a second factor. Lift that first: second_factor: false\n' +
          'Done: 0 added, 0 changed, 3 removed.\n',
      );
      const after = await server.export('--users');
      for (const stays of [
        'other-app',
        'other-empty',
        'by-hand',
        'again',
        'own-full',
        'own@example.com',
        'hand.example.com/callback',
        'https://other.example.com',
      ])
        assert.match(after, new RegExp(stays.replaceAll('.', '\\.')));
      assert.doesNotMatch(after, /own-app|own-empty|https:\/\/own\.example/);
      assert.match(after, /username: own@example\.com[\s\S]*- admins\n\s+- own-full/);

      // The key of the file is as good as the option, and an object that was added by hand since is not the file's.
      await server.apply('name: production\ngroups: [{name: again-made}]');
      await server.run(['groups', 'remove', 'again-made']);
      await server.run(['groups', 'add', 'again-made']);
      assert.match((await server.apply('name: production\nprune: true')).stdout, /^= .*\n= .*\nNo changes\.\n$/);
      assert.match(await server.export(), /again-made/);
    });

    test('a user who becomes an administrator without a password gets a link, once', async () => {
      await using server = await openApply(engine);
      const file = (groups: string) =>
        `name: production\nusers: [{username: ann@example.com, first_name: Ann, last_name: A, groups: [${groups}]}]`;
      assert.equal(linkOf((await server.apply(file(''))).text), undefined);
      assert.ok(linkOf((await server.apply(file('admins'))).text));
      assert.equal((await server.apply(file('admins'))).stdout, 'No changes.\n');
      const add = ['users', 'add', 'ben@example.com', '--first-name', 'Ben', '--last-name', 'B'];
      await server.run(add, { input: 'plover quarry ladder' });
      const promoted = await server.apply(
        file('admins').replaceAll('ann@', 'ben@').replace('Ann', 'Ben').replace('_name: A', '_name: B'),
      );
      assert.equal(promoted.code, 0);
      assert.equal(linkOf(promoted.text), undefined);
    });

    test('a secret comes from a file, and a changed file replaces that secret alone', async () => {
      await using server = await openApply(engine);
      const secrets = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210'];
      const file = `name: production\nclients: [${client('wiki', ', secret_file: wiki.secret')}]`;
      await server.write('wiki.secret', `${secrets[0]}\n`);
      const first = await server.apply(file);
      assert.match(first.stdout, /^\+ client wiki/);
      assert.doesNotMatch(first.text, /client_secret|0123456789/);
      assert.equal((await server.apply(file)).stdout, 'No changes.\n');
      const names = async () =>
        JSON.parse((await server.run(['clients', 'show', 'wiki', '--json'])).stdout).secrets.map(
          ({ name }: { name: string }) => name,
        );
      await server.run(['clients', 'secret', 'add', 'wiki', '--name', 'deployment']);
      await server.write('wiki.secret', `${secrets[1]}\n`);
      assert.equal(
        (await server.apply(file)).stdout,
        '~ client wiki\n    secret_file: "another secret" -> "this secret"\nDone: 0 added, 1 changed, 0 removed.\n',
      );
      assert.deepEqual(await names(), ['deployment', 'file']);
      for (const weak of ['short', 'a'.repeat(64), `${secrets[0]} blank`]) {
        await server.write('wiki.secret', weak);
        const { code, text } = await server.apply(file);
        assert.deepEqual([code, text.includes(weak)], [2, false], text);
      }
      const open = file.replace('secret_file', 'public: true, secret_file');
      await server.write('wiki.secret', secrets[1] ?? '');
      assert.match((await server.apply(open)).text, /^client wiki: A client stays public, or confidential/);
    });

    test('a client gets nothing of a former one with its id', async () => {
      await using server = await openApply(engine);
      await using opened = await openTestDatabase(server.env.DATABASE_URL);
      const { database } = opened;
      // The row that an interrupted removal leaves.
      const left = { user_id: 'ann', client_id: 'wiki', scope: 'openid', version: 'v', given_at: 1 };
      await database
        .insertInto('janua_consents')
        .values({ id: 'left', ...left })
        .execute();
      const others = { id: 'other', ...left, client_id: 'other' };
      await database.insertInto('janua_consents').values(others).execute();
      assert.equal((await server.apply(`name: production\nclients: [${client('wiki')}]`)).code, 0);
      const rows = await database.selectFrom('janua_consents').select('id').execute();
      assert.deepEqual(rows, [{ id: 'other' }]);
      // And a removal by a file deletes them, too.
      await database
        .insertInto('janua_consents')
        .values({ id: 'left', ...left })
        .execute();
      assert.equal((await server.apply('name: production', '--prune')).code, 0);
      assert.equal((await database.selectFrom('janua_consents').select('id').execute()).length, 1);
    });

    test('a program that an administrator allowed is allowed by the operator from then on', async () => {
      await using server = await openApply(engine);
      assert.equal((await server.apply(whole)).code, 0);
      await using robot = await openRobot(server.env.DATABASE_URL);
      await robot.write({ machine: 'ben' });
      const { stdout } = await server.apply(whole);
      assert.equal(stdout, '~ client robot\n    granted_by: "ben" -> none\nDone: 0 added, 1 changed, 0 removed.\n');
      assert.equal((await robot.read()).machine.grantedBy, undefined);
    });

    test('a program is allowed by the operator, although an administrator gave it trusts beside the file', async () => {
      await using server = await openApply(engine);
      assert.equal((await server.apply(whole)).code, 0);
      await using robot = await openRobot(server.env.DATABASE_URL);
      await robot.write({ machine: 'ben', trusts: ['ben', 'ben'] });
      const file = whole.replace(/\n {4}trusts: .*/, '');
      assert.match((await server.apply(file)).stdout, /^~ client robot\n {4}granted_by: "ben" -> none\n/);
      const { machine, trusts } = await robot.read();
      assert.deepEqual([machine.grantedBy, trusts[0].grantedBy], [undefined, 'ben']);
      assert.equal((await server.apply(file)).stdout, 'No changes.\n');
    });

    test('what an administrator allowed beside the file is not allowed by it', async () => {
      await using server = await openApply(engine);
      const file = whole.replace(/\n {4}may: .*/, '');
      assert.equal((await server.apply(file)).code, 0);
      await using robot = await openRobot(server.env.DATABASE_URL);
      await robot.write({ machine: 'ben', may: { 'https://files.example.com': ['files:read'] } });
      const { stdout } = await server.apply(file);
      assert.match(
        stdout,
        /may: \["https:\/\/files\.example\.com=files:read"\] -> \[\]\n {4}granted_by: "ben" -> none/,
      );
      assert.deepEqual((await robot.read()).machine.may, {});
      assert.equal((await server.apply(whole)).code, 0);
      // Nor does a file keep what it takes away by an empty list.
      const { stdout: emptied } = await server.apply(whole.replace(/may: .*/, 'may: []'));
      assert.match(emptied, /may: \["https:\/\/files\.example\.com=files:read"\] -> \[\]/);
      assert.deepEqual((await robot.read()).machine.may, {});
    });

    test('an export leaves out what an administrator who is none any more has granted', async () => {
      await using server = await openApply(engine);
      assert.equal((await server.apply(whole)).code, 0);
      const exported = await server.export();
      await using robot = await openRobot(server.env.DATABASE_URL);
      const ann = await robot.idOf('ann@example.com');
      const ben = await robot.idOf('ben@example.com');
      const run = async () => {
        const { stdout, text } = await server.run(['export', '--apply']);
        return { stdout, told: text.slice(stdout.length) };
      };
      await robot.write({ machine: ann, trusts: [ann, ann] });
      assert.deepEqual(await run(), { stdout: exported, told: '' });
      await robot.write({ machine: ann, trusts: [ben, undefined] });
      const told = (names: string) =>
        `Left out, because the administrator who granted it is none any more: ${names}.\n`;
      const part = await run();
      assert.deepEqual([part.told, part.stdout.includes('github:')], [told('a trust of robot'), false]);
      assert.match(part.stdout, /client_id: robot\n(?:.*\n)*? +trusts:\n +- issuer=https:\/\/ci\.example\.com/);
      for (const gone of [ben, 'nobody']) {
        await robot.write({ machine: gone, trusts: [gone, gone] });
        const none = await run();
        assert.deepEqual([none.told, none.stdout.includes('robot')], [told('robot'), false]);
      }
      const applied = await server.apply((await run()).stdout);
      assert.equal(applied.stdout, 'No changes.\n');
      assert.equal((await robot.read()).machine.grantedBy, 'nobody');
    });

    test('a handle is changed, names one user, and no client', async () => {
      await using server = await openApply(engine);
      const user = (name: string, handle: string) =>
        `name: production\nusers: [{username: ${name}@example.com, first_name: A, last_name: A, handle: ${handle}}]`;
      assert.match((await server.apply(user('ann', 'ann'))).stdout, /handle: "ann"/);
      assert.match((await server.apply(user('ann', 'annie'))).stdout, /handle: "ann" -> "annie"/);
      assert.match((await server.apply(user('ann', 'annie'))).stdout, /^No changes/);
      assert.match(
        (await server.apply(user('ben', 'ann'))).text,
        /^user ben@example.com: The handle ann is that of ann@example.com/,
      );
      for (const id of ['annie', 'ANNIE', 'ANN'])
        assert.match(
          (await server.apply(`name: production\nclients: [${client(id)}]`)).text,
          new RegExp(`The id ${id} is taken`),
        );
    });

    test('a sub is given once, to one user', async () => {
      await using server = await openApply(engine);
      const user = (name: string, sub: string) =>
        `{username: ${name}@example.com, first_name: A, last_name: A, sub: ${sub}}`;
      assert.equal((await server.apply(`name: production\nusers: [${user('ann', 'sub-of-ann')}]`)).code, 0);
      for (const [entry, message] of [
        [user('ann', 'another'), /Applications know the user by another sub already: sub-of-ann/],
        [user('ben', 'sub-of-ann'), /The sub sub-of-ann is that of ann@example.com/],
      ] as const)
        assert.match((await server.apply(`name: production\nusers: [${entry}]`)).text, message);
      const taken = await server.apply(`name: production\nclients: [${client('sub-of-ann')}]`);
      assert.match(taken.text, /^client sub-of-ann: The id sub-of-ann is taken/);
    });

    test('a file comes from standard input, in JSON too', async () => {
      await using server = await openApply(engine);
      const input = JSON.stringify({ name: 'production', groups: [{ name: 'staff' }] });
      const { code, stdout } = await server.run(['apply', '-'], { input, alone: true });
      assert.deepEqual([code, stdout], [0, '+ group staff\nDone: 1 added, 0 changed, 0 removed.\n']);
    });
  });
