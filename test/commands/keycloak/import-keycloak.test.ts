import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { codeAt, stepSeconds } from '../../../src/capabilities/second-factor/totp-code.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import { countsOf, openImport } from './import-host.ts';
import { appSecret, client, group, idOf, otp, pbkdf2, realm, user } from './realm.ts';

const count = 300;

/** Users of each kind, in turn: with a password of each digest, an app, a link, groups and roles. */
const people = Array.from({ length: count }, (_, index) =>
  user(index, {
    credentials: [
      ...([
        [pbkdf2(`Pässword-${index}`)],
        [pbkdf2(`Pässword-${index}`, 'sha512', 'pbkdf2-sha512')],
        [pbkdf2(`Pässword-${index}`), otp()],
      ][index % 3] ?? []),
    ],
    emailVerified: index % 2 === 0,
    enabled: index !== 7,
    groups: [['/Staff'], ['/Staff/IT Support'], []][index % 3],
    realmRoles: ['default-roles-wiki', ...(index % 5 === 0 ? ['editor'] : [])],
    ...(index % 10 === 4 && {
      federatedIdentities: [{ identityProvider: 'github', userId: String(1000 + index), userName: 'octo' }],
    }),
    attributes: { phone: ['+49 1'] },
  }),
);

const whole = realm(people, {
  groups: [group('Staff', group('IT Support'))],
  roles: {
    realm: [
      { name: 'editor', description: 'Edits pages' },
      { name: 'default-roles-wiki', composite: true },
    ],
  },
  identityProviders: [{ alias: 'github', providerId: 'github', config: {} }],
  clients: [
    client('wiki', {
      name: 'Wiki',
      redirectUris: ['https://wiki.example.com/callback', '/cb', 'https://wiki.example.com/*'],
      rootUrl: 'https://wiki.example.com/',
      baseUrl: '/start',
      attributes: {
        'post.logout.redirect.uris': 'https://wiki.example.com/bye##+',
        'pkce.code.challenge.method': 'S256',
      },
    }),
    client('spa', { publicClient: true, secret: undefined }),
    client('masked', { secret: '**********' }),
    client('account'),
  ],
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const satisfies readonly UserEngine[])
  describe(`janua import keycloak on ${engine}`, { skip: missing(engine) }, () => {
    test('brings 300 users, with groups, clients and ids, once', async () => {
      await using host = await openImport(engine);
      const { importRealm, run, rows, write } = host;
      await write('realm.json', whole);
      const rehearsed = await importRealm('realm.json', '--dry-run');
      const counts = { Groups: [3, 0, 0], Clients: [3, 0, 0], Users: [count, 0, 0] };
      assert.deepEqual([rehearsed.code, countsOf(rehearsed.stdout)], [0, counts], rehearsed.stderr);
      for (const table of ['janua_users', 'janua_clients', 'janua_subjects', 'janua_audit'] as const)
        assert.deepEqual(await rows(table), [], table);
      assert.equal((await rows('janua_groups')).length, 1);

      const imported = await importRealm('realm.json');
      assert.deepEqual([imported.code, countsOf(imported.stdout)], [0, counts], imported.stderr);
      assert.equal(imported.stderr, rehearsed.stderr);
      assert.deepEqual(imported.stderr.trim().split('\n'), [
        'line 1: client wiki: The redirect address https://wiki.example.com/* is not brought: wildcards are not matched.',
        'line 1: client masked: The export hides its secret. Export by "kc.sh export", or put it into a file of "janua apply". Give the application a new one: ./bin/janua clients rotate-secret masked',
        `not brought: attribute phone (users who have it: ${count})`,
      ]);
      const users = await rows('janua_users');
      const subjects = new Map((await rows('janua_subjects')).map(({ user_id, subject }) => [user_id, subject]));
      for (const [index, { email, emailVerified, enabled }] of people.entries()) {
        const row = users.find(({ username }) => username === email);
        assert.equal(subjects.get(row?.id), idOf(index));
        assert.equal(row?.verified_address, emailVerified ? email : '');
        assert.deepEqual([row?.handle, row?.disabled], [`person${index}`, enabled ? 0 : 1]);
        const groups = [['staff'], ['staff-it-support'], []][index % 3] ?? [];
        assert.equal(row?.group_names, [...(index % 5 === 0 ? ['role-editor'] : []), ...groups].join(' ') || null);
      }
      assert.equal((await rows('janua_totp')).length, count / 3);
      assert.equal((await rows('janua_identities')).length, count / 10);
      const wiki = JSON.parse((await run(['clients', 'show', 'wiki', '--json'])).stdout);
      assert.deepEqual(wiki.redirect_uris, ['https://wiki.example.com/callback', 'https://wiki.example.com/cb']);
      assert.deepEqual(wiki.post_logout_redirect_uris, ['https://wiki.example.com/bye', ...wiki.redirect_uris]);
      assert.deepEqual([wiki.pkce, wiki.own, wiki.client_uri], ['required', false, 'https://wiki.example.com/start']);

      const again = await importRealm('realm.json');
      const none = { Groups: [0, 3, 0], Clients: [0, 3, 0], Users: [0, count, 0] };
      assert.deepEqual([again.code, countsOf(again.stdout)], [0, none], again.stderr);
      assert.equal((await rows('janua_users')).length, count);

      // Apps and links that came with the import are no use of the accounts yet.
      const { id } = JSON.parse((await run(['users', 'imports', '--json'])).stdout);
      assert.deepEqual(
        (await run(['users', 'undo-import', id])).stdout,
        `The import is undone. Removed users: ${count}.\n`,
      );
      assert.deepEqual(countsOf((await importRealm('realm.json')).stdout).Users, [count, 0, 0]);
      assert.equal((await rows('janua_subjects')).length, count);
    });

    test('users sign in with their passwords, handles and apps, and clients with their secrets', async () => {
      await using host = await openImport(engine);
      await host.write('realm.json', whole);
      await host.importRealm('realm.json');
      const { url, stop } = await host.workplace.start(['serve'], host.env);
      const post = (path: string, fields: Record<string, string>, headers = {}) =>
        fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers });
      const login = (name: string, index: number) =>
        post('/api/login', { username: name, password: `Pässword-${index}` });
      assert.equal((await login('person0@example.com', 0)).status, 200);
      assert.equal((await login('person1', 1)).status, 200);
      assert.equal((await login('person0@example.com', 1)).status, 400);
      assert.notEqual((await login('person7', 7)).status, 200, 'disabled');
      const halfway = await login('person2@example.com', 2);
      const { mfa_token, methods } = (await halfway.json()) as { mfa_token: string; methods: string[] };
      assert.deepEqual([halfway.status, methods], [403, ['totp']]);
      const code = codeAt(Buffer.from(appSecret), Math.floor(Date.now() / 1000 / stepSeconds));
      assert.equal((await post('/api/second-factor', { mfa_token, method: 'totp', code })).status, 200);
      for (const [secret, error] of [
        [client('wiki').secret, 'invalid_grant'],
        ['another-secret', 'invalid_client'],
      ] as const) {
        const authorization = `Basic ${Buffer.from(`wiki:${secret}`).toString('base64')}`;
        const fields = {
          grant_type: 'authorization_code',
          code: 'x',
          redirect_uri: 'https://wiki.example.com/callback',
        };
        const answer = await post('/oidc/token', { ...fields, code_verifier: 'x'.repeat(43) }, { authorization });
        assert.equal(((await answer.json()) as { error: string }).error, error);
      }
      await stop();
    });

    test('refuses users whose ids or addresses are those of others, by line', async () => {
      await using host = await openImport(engine);
      const { importRealm, rows, run, write } = host;
      await run(['clients', 'add', '--name', 'X', '--redirect-uri', 'https://x.example.com/cb', '--json']);
      const [{ id: clientId } = {}] = await rows('janua_clients');
      await write('first.json', realm([user(0), user(1), user(2, { id: 'thing', username: 'named' })]));
      assert.deepEqual(countsOf((await importRealm('first.json')).stdout).Users, [3, 0, 0]);
      const link = { federatedIdentities: [{ identityProvider: 'github', userId: '7', userName: 'octo' }] };
      const identityProviders = [{ alias: 'github', providerId: 'github', config: {} }];
      await write('linked.json', realm([user(3, link)], { identityProviders }));
      await importRealm('linked.json');
      await write(
        'second.json',
        realm(
          [
            user(0),
            user(1, { id: idOf(9) }),
            user(10, { id: idOf(3) }),
            user(11, { id: clientId }),
            user(12, { id: 'named' }),
            user(13, { username: 'thing' }),
            user(14),
            user(15, { id: idOf(14) }),
            user(16, { email: 'PERSON14@example.com' }),
            user(17, { username: 'person14' }),
            user(18, link),
          ],
          { identityProviders },
        ),
      );
      for (const options of [['--dry-run'], []]) {
        const { code, stderr } = await importRealm('second.json', ...options);
        assert.equal(code, 1);
        assert.deepEqual(countsOf(stderr).Users, [1, 1, 9], stderr);
        const lines = new Map(stderr.split('\n').map((line) => [Number(/^line (\d+)/.exec(line)?.[1]), line]));
        for (const [line, reason] of [
          [3, /There is a user person1@example\.com already, whose sub is not 0/],
          [4, /The sub \S+ is that of another user/],
          [5, /The sub \S+ is that of another user/],
          [6, /The sub named is that of another user, or the name/],
          [7, /That handle is taken/],
          [9, /The sub is in line 8 too/],
          [10, /The user is in line 8 too/],
          [11, /The handle is in line 8 too/],
          [12, /is linked with another user/],
        ] as const)
          assert.match(lines.get(line) ?? '', reason, `${line}: ${stderr}`);
      }
      assert.equal((await rows('janua_users')).length, 5);
    });
  });

test('a file that is cut off changes nothing, and the whole one comes then', async () => {
  await using host = await openImport();
  for (const length of [whole.length - 2, whole.length / 2, 1000, 1]) {
    await host.write('realm.json', whole.slice(0, length));
    const { code, stdout, stderr } = await host.importRealm('realm.json');
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, /^Line \d+: this is no export of a realm: it ends in the middle, so it was cut off\.\n$/m);
  }
  for (const table of ['janua_users', 'janua_clients'] as const) assert.deepEqual(await host.rows(table), []);
  await host.write('realm.json', whole);
  assert.deepEqual(countsOf((await host.importRealm('realm.json')).stdout).Users, [count, 0, 0]);
});

test('an import that was stopped goes on where it stopped', async () => {
  await using host = await openImport();
  const users = Array.from({ length: 20_000 }, (_, index) =>
    user(index, index === 1 ? { email: '', username: 'x' } : {}),
  );
  await host.write('realm.json', realm(users));
  const child = host.workplace.launch(['import', 'keycloak', 'realm.json'], host.env);
  const closed = once(child, 'close');
  const [[first], rest] = [await once(child.stderr, 'data'), text(child.stderr)];
  child.kill('SIGINT');
  assert.match(String(first), /^line 3: user not added\. The user x has no e-mail address/);
  assert.deepEqual((await closed)[0], 1);
  const told = await rest;
  assert.match(told, /^Stopped\. Run it again to go on\. /m);
  const added = (await host.rows('janua_users')).length;
  assert.ok(added < users.length - 1, `${added}`);
  assert.deepEqual(countsOf((await host.importRealm('realm.json')).stderr).Users, [users.length - 1 - added, added, 1]);
});

test('hostile users are refused by line, and spoil no other', async () => {
  await using host = await openImport();
  const lines: readonly (readonly [user: unknown, reason: RegExp])[] = [
    [7, /The user must be an object/],
    [null, /The user must be an object/],
    [[], /The user must be an object/],
    [user(0, { email: 7 }), /email must be a text/],
    [user(0, { email: 'ann' }), /A username must be one e-mail address/],
    [user(0, { email: 'a@b.example, c@d.example' }), /A username must be one e-mail address/],
    [user(0, { firstName: 'A\nB' }), /A first or last name/],
    [user(0, { lastName: 'x'.repeat(101) }), /A first or last name/],
    [user(0, { enabled: 'true' }), /enabled must be true or false/],
    [user(0, { groups: '/Staff' }), /groups must be a list/],
    [user(0, { groups: [7] }), /groups must be a list of texts/],
    [user(0, { id: 'x'.repeat(37) }), /A sub has at most 36/],
    [user(0, { id: "' or 1=1" }), /A sub has at most 36/],
    [user(0, { credentials: [7] }), /Each of credentials must be an object/],
    [user(0, { credentials: [{ type: 'password', secretData: '[]', credentialData: '{}' }] }), /secretData must be an/],
    [user(0, { attributes: 'x'.repeat(300_000) }), /The user is too long/],
  ];
  const proto = JSON.stringify(user(1)).replace('{', '{"__proto__":{"enabled":false},"constructor":{"name":1},');
  const file = realm([...lines.map(([one]) => one), 'PLACE', user(2)]).replace('"PLACE"', proto);
  await host.write('realm.json', file);
  const { stderr } = await host.importRealm('realm.json');
  const told = stderr.split('\n');
  for (const [index, [, reason]] of lines.entries()) {
    assert.match(told[index] ?? '', reason);
    assert.match(told[index] ?? '', new RegExp(`^line ${index + 2}: user not added`));
  }
  assert.deepEqual(countsOf(stderr).Users, [2, 0, lines.length]);
  const [one] = (await host.rows('janua_users')).filter(({ username }) => username === 'person1@example.com');
  assert.equal(one?.disabled, 0);
});

test('credentials that cannot come are told, and their users come without them', async () => {
  await using host = await openImport();
  const parts = [
    [{ credentials: [pbkdf2('x', 'sha256', 'scrypt')] }, /Janua cannot compute its hash \(scrypt\)/],
    [{ credentials: [pbkdf2('x')], requiredActions: ['UPDATE_PASSWORD'] }, /because it was temporary/],
    [{ credentials: [otp({ digits: 8 })] }, /Janua takes six digits/],
    [{ credentials: [otp(), otp({}, 'zyxwvutsrq9876543210')] }, /A further authenticator app/],
    [{ credentials: [{ type: 'webauthn' }] }, /works only at the address of Keycloak/],
    [{ credentials: [{ type: 'recovery-authn-codes' }] }, /of the type recovery-authn-codes/],
    [{ username: 'admin' }, /The name admin cannot be a handle/],
    [{ groups: ['/nowhere'] }, /The export has no group \/nowhere/],
    [{ federatedIdentities: [{ identityProvider: 'corp', userId: '1' }] }, /The link with corp is not brought/],
    [{ federatedIdentities: [{ identityProvider: 'github', userId: '1' }] }, /The link with github is not brought/],
  ] as const;
  // In Keycloak, this provider only has the name of the one here.
  const identityProviders = [{ alias: 'github', providerId: 'oidc', config: { issuer: 'https://evil.example.com' } }];
  await host.write(
    'realm.json',
    realm(
      parts.map(([more], index) => user(index, more)),
      { identityProviders },
    ),
  );
  const { code, stdout, stderr } = await host.importRealm('realm.json');
  assert.equal(code, 0, stderr);
  assert.deepEqual(countsOf(stdout).Users, [parts.length, 0, 0]);
  for (const [index, [, reason]] of parts.entries()) assert.match(stderr.split('\n')[index] ?? '', reason);
  const users = await host.rows('janua_users');
  assert.deepEqual(users.map(({ password }) => password).filter(Boolean), []);
  assert.deepEqual([(await host.rows('janua_totp')).length, (await host.rows('janua_identities')).length], [1, 0]);
});

test('no group of a file gives rights, and no two become one', async () => {
  await using host = await openImport();
  await host.run(['groups', 'add', 'helpers', 'users:read']);
  await host.run(['groups', 'add', 'present']);
  const groups = [
    ...[
      group('Admins'),
      group('machines'),
      group('basic'),
      group('Helpers'),
      group('Present'),
      group('A', group('B')),
      group('A-B'),
    ],
    ...[group('Ä'), group('...'), group('x'.repeat(64)), { ...group('team'), realmRoles: ['editor'] }],
  ];
  const roles = { realm: [{ name: 'admins' }, { name: 'both', composites: { realm: ['admins'] } }] };
  const joined = ['/Admins', '/machines', '/Helpers', '/Present', '/A/B', '/A-B', '/A', '/team'];
  await host.write('realm.json', realm([user(0, { groups: joined, realmRoles: ['admins'] })], { groups, roles }));
  const { stderr } = await host.importRealm('realm.json');
  for (const reason of [
    /^line 1: \/Admins is not brought: here, admins means something else/m,
    /^line 1: \/machines is not brought/m,
    /^line 1: \/basic is not brought/m,
    /^\/Helpers: nobody joins the group helpers, because it grants users:read/m,
    /^line 1: \/A-B is not brought: its name would be a-b, as that of \/A\/B\.$/m,
    /^line 1: \/Ä is not brought: its name would be a, as that of \/A\.$/m,
    /^line 1: \/\.\.\. cannot be a group/m,
    /^line 1: \/x{64} cannot be a group/m,
    /^line 1: \/team gives its users roles, which are not brought: editor/m,
    /^line 1: role both has other roles in it/m,
  ])
    assert.match(stderr, reason);
  const [row] = await host.rows('janua_users');
  assert.deepEqual([row?.group_names, row?.scopes], ['a a-b present role-admins team', null]);
});

test('clients that cannot come are told, and those with a wildcard take addresses by hand', async () => {
  await using host = await openImport();
  const clients = [
    client('one', { secret: 'short' }),
    client('two', { redirectUris: ['*'] }),
    client('three', { redirectUris: ['https://three.example.com/*'] }),
    client('four', { name: 'x'.repeat(200), attributes: { 'backchannel.logout.url': 'http://four.example.com/' } }),
    ...[client('five', { protocol: 'saml' }), client('six', { bearerOnly: true }), client('seven', { enabled: false })],
    ...[client('eight', { standardFlowEnabled: false }), client('nine', { clientAuthenticatorType: 'client-jwt' })],
    ...[client('https://ten'), client('add'), client('twelve', { redirectUris: 7 }), client('person0'), client('one')],
    client('app', { publicClient: true, redirectUris: ['http://127.0.0.1/cb', 'com.example.app:/cb', 'javascript:x'] }),
  ];
  await host.write('realm.json', realm([user(0)], { clients }));
  const { code, stderr } = await host.importRealm('realm.json', '--redirect-uri', 'three=https://three.example.com/cb');
  assert.equal(code, 1);
  for (const reason of [
    /client one: Its secret could be guessed/,
    /client two: not added\. No redirect address can come\. .*--redirect-uri two=URL/,
    /client four: not brought\. backchannel_logout_uri/,
    /client five: not added\. Janua speaks OpenID Connect/,
    /client six: not added\. It is an API/,
    /client seven: not added\. It is disabled/,
    /client eight: not added\. It signs no users in/,
    /client nine: not added\. It proves itself by client-jwt/,
    /client https:\/\/ten: not added\. Its id must/,
    /client add: not added\. The id add is taken/,
    /client twelve: not added\. redirectUris must be a list/,
    /client app: The redirect address javascript:x is not brought/,
    // Clients come first, so a user cannot have the name of one.
    /user not added\. That handle is taken/,
  ])
    assert.match(stderr, reason);
  const ids = (await host.rows('janua_clients')).map(({ id }) => id).sort();
  assert.deepEqual(ids, ['app', 'four', 'one', 'person0', 'three']);
  assert.deepEqual(countsOf(stderr).Clients, [5, 1, 9]);
});

test('a file that is no export of a realm is refused whole', async () => {
  await using host = await openImport();
  const deep = Array.from({ length: 30 }).reduce((inner: object) => group('g', inner), group('g'));
  for (const [content, reason] of [
    ['', /it is empty/],
    ['[{"realm":"wiki"}]', /it is a list, and should be one object/],
    ['{"users":[]}', /names no realm/],
    ['{"realm":"a","realm":"b"}', /has "realm" twice/],
    ['{"realm":"a","users":[],"users":[]}', /has "users" twice/],
    [`{"realm":"a","x":${'['.repeat(10_000)}`, /nested too deeply/],
    [realm([], { groups: [deep] }), /Groups are nested too deeply/],
    [realm([], { groups: Array.from({ length: 2001 }, (_, index) => group(`g${index}`)) }), /more than 2000 groups/],
    [realm([], { groups: [7] }), /groups must be an object/],
    [realm([], { groups: 'x'.repeat(9_000_000) }), /groups is too long/],
  ] as const) {
    await host.write('realm.json', content);
    const { code, stderr } = await host.importRealm('realm.json');
    assert.equal(code, 2, stderr.slice(0, 200));
    assert.match(stderr, reason);
  }
  for (const [args, reason] of [
    [['none.json'], /cannot be read \(ENOENT\)/],
    [['.'], /has no file NAME-realm\.json/],
    [['/dev/zero'], /is no file/],
    [['realm.json', '--redirect-uri', 'x'], /--redirect-uri must be CLIENT=URL/],
  ] as const)
    assert.match((await host.importRealm(...args)).stderr, reason);
  const many = Array.from({ length: 501 }, (_, index) => group(`g${index}`));
  await host.write('realm.json', realm([user(0)], { groups: many }));
  assert.match((await host.importRealm('realm.json')).stderr, /There are 500 groups already/);
  assert.deepEqual([(await host.rows('janua_groups')).length, await host.rows('janua_users')], [1, []]);
});
