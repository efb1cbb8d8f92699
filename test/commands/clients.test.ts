import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createIssuerKey } from '../capabilities/oidc/machines/issuer.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { createMigratedWorkplace } from './janua-command.ts';

const redirect = ['--redirect-uri', 'https://wiki.example.com/callback'];

async function open() {
  const workplace = await createMigratedWorkplace();
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await workplace.run(args);
    return { code, text: stdout + stderr };
  };
  return {
    run,
    runJson: async (...args: string[]) => JSON.parse((await run(...args, '--json')).text),
    events: async () => {
      const lines = (await run('audit', '--json')).text.trim().split('\n');
      return lines.map((line) => JSON.parse(line)).map(({ kind, about, reason }) => `${kind} ${about ?? reason}`);
    },
    [Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose](),
  };
}

test('a client is added, shown, changed, gets a new secret, and is removed', async () => {
  await using opened = await open();
  const { run, runJson, events } = opened;
  const added = await run('clients', 'add', '--name', 'Wiki', ...redirect, '--own', '--group', 'admins');
  assert.equal(added.code, 0, added.text);
  const [, id = '', secret = ''] =
    /^Added Wiki\.\nclient_id: ([\w-]{22})\nclient_secret: ([\w-]{43})\nThe secret is shown only now\.\n$/.exec(
      added.text,
    ) ?? [];
  assert.ok(id && secret);
  const { created_at, secrets, ...shown } = await runJson('clients', 'show', id);
  assert.deepEqual(secrets, [{ name: 'first', created_at, expires_at: null, last_used_at: null }]);
  assert.deepEqual(shown, {
    client_id: id,
    name: 'Wiki',
    public: false,
    redirect_uris: [redirect[1]],
    post_logout_redirect_uris: [],
    backchannel_logout_uri: null,
    client_uri: null,
    own: true,
    device: false,
    second_factor: false,
    require_pushed_authorization_requests: false,
    dpop_bound_access_tokens: false,
    groups: ['admins'],
    pkce: 'nonce',
    id_token_signed_response_alg: 'RS256',
    machine: null,
    trusts: [],
    picture: null,
    void_grant: false,
    claims: [],
    jwks: [],
    jwks_uri: null,
  });
  assert.equal((await run('clients', 'set', id, '--claim', 'kind@userinfo=constant:a b', '--claim', 'uid=id')).code, 0);
  const { claims } = JSON.parse((await run('clients', 'show', id, '--json')).text);
  assert.deepEqual(claims, [
    { claim: 'kind', source: 'constant:a b', in: ['userinfo'] },
    { claim: 'uid', source: 'id', in: ['id_token', 'userinfo'] },
  ]);
  const bad = await run('clients', 'set', id, '--claim', 'sub=id');
  assert.deepEqual([bad.code, bad.text.includes('sub belongs to a protocol')], [1, true], bad.text);
  assert.equal((await run('clients', 'set', id, '--claim', '')).code, 0);
  assert.match((await run('clients', 'list')).text, new RegExp(`^CLIENT .*\n${id}  Wiki  admins  +https://wiki`));
  assert.match((await run('clients', 'show', id)).text, /^client_id: .*\nname: Wiki\npublic: false\n/);

  const changes = [
    '--pkce',
    'optional',
    '--id-token-alg',
    'ES256',
    '--name',
    'Notes',
    '--no-own',
    '--group',
    '',
    '--device',
    '--uri',
    'https://wiki.example.com/start',
    '--backchannel-logout-uri',
  ];
  assert.deepEqual(await run('clients', 'set', id, ...changes, 'https://wiki.example.com/logout'), {
    code: 0,
    text: 'Changed Notes.\n',
  });
  const changed = await runJson('clients', 'show', id);
  assert.deepEqual(
    [changed.own, changed.device, changed.groups, changed.backchannel_logout_uri, changed.redirect_uris],
    [false, true, [], 'https://wiki.example.com/logout', [redirect[1]]],
  );
  assert.deepEqual([changed.pkce, changed.id_token_signed_response_alg], ['optional', 'ES256']);
  assert.equal(changed.client_uri, 'https://wiki.example.com/start');
  await run('clients', 'set', id, '--uri', '');
  assert.equal((await runJson('clients', 'show', id)).client_uri, null);
  const unknown = await run('clients', 'set', id, '--pkce', 'plain');
  assert.match(unknown.text, /Allowed choices are nonce, required, optional/);
  const unsigned = await run('clients', 'set', id, '--id-token-alg', 'none');
  assert.match(unsigned.text, /Allowed choices are RS256, ES256/);

  const rotated = await runJson('clients', 'rotate-secret', id);
  assert.match(rotated.client_secret, /^[\w-]{43}$/);
  assert.notEqual(rotated.client_secret, secret);
  const further = await runJson('clients', 'secret', 'add', id, '--name', 'ci', '--expires', '30');
  assert.match(further.client_secret, /^[\w-]{43}$/);
  assert.deepEqual(await run('clients', 'secret', 'add', id, '--name', 'ci'), {
    code: 1,
    text: 'The client has a secret with the name ci already.\n',
  });
  assert.match((await run('clients', 'show', id)).text, /^secrets: first ci$/m);
  assert.equal(
    (await run('clients', 'secret', 'remove', id, '--name', 'first')).text,
    'The secret first is removed.\n',
  );
  const listed = await runJson('clients', 'secret', 'list', id);
  assert.deepEqual([listed.name, listed.last_used_at], ['ci', null]);
  assert.equal(Date.parse(listed.expires_at) - Date.parse(listed.created_at), 30 * 86_400_000);
  assert.match((await run('clients', 'remove', id)).text, new RegExp(`^\\w+ \\(${id}\\) is removed\\.\n$`));
  const named = ['--name', 'Wiki'];
  for (const args of [
    ...[['show'], ['set', ...named], ['rotate-secret'], ['remove']],
    ...[
      ['secret', 'list'],
      ['secret', 'add', ...named],
      ['secret', 'remove', ...named],
    ],
  ])
    assert.deepEqual(await run('clients', ...args, id), {
      code: 1,
      text: 'There is no client with that id. All ids: ./bin/janua clients list\n',
    });
  assert.deepEqual(
    await events(),
    [
      'added',
      'changed',
      'changed',
      'changed',
      'changed',
      'secret-rotated',
      'secret-added',
      'secret-removed',
      'removed',
    ].map((what) => `client-${what} ${id}`),
  );
});

test('a public client gets no secret', async () => {
  await using opened = await open();
  const app = ['--name', 'App', '--redirect-uri', 'com.example.app:/callback', '--public'];
  const { client_id, client_secret } = await opened.runJson('clients', 'add', ...app);
  assert.equal(client_secret, null);
  assert.deepEqual(await opened.run('clients', 'rotate-secret', client_id), {
    code: 1,
    text: 'A public client has no secret.\n',
  });
});

test('a name stands for the id of a client, if no other client has it and it does not look like an id', async () => {
  await using opened = await open();
  const { run, runJson } = opened;
  const add = async (name: string): Promise<string> =>
    (await runJson('clients', 'add', '--name', name, ...redirect)).client_id;
  const id = await add('Wiki');
  const second = await add(id);
  assert.equal((await runJson('clients', 'show', 'Wiki')).client_id, id);
  assert.equal((await runJson('clients', 'show', id)).client_id, id);
  assert.equal((await runJson('clients', 'rotate-secret', 'Wiki')).client_id, id);
  assert.equal((await run('clients', 'set', 'Wiki', '--name', 'Notes')).text, 'Changed Notes.\n');
  await run('clients', 'set', second, '--name', 'Notes');
  assert.match((await run('clients', 'remove', 'Notes')).text, /^Two clients are called Notes\. Name the id/);
  await run('clients', 'set', second, '--name', id);
  assert.equal((await run('clients', 'remove', 'Notes')).code, 0);
  assert.equal((await run('clients', 'remove', id)).code, 1, 'a repetition removes no other client');
  assert.equal((await runJson('clients', 'list')).client_id, second);
});

test('what cannot be accepted is said by option', async () => {
  await using opened = await open();
  assert.deepEqual(await opened.run('clients', 'add', '--group', 'nobody'), {
    code: 1,
    text: '--name: Required.\n--redirect-uri: Required.\n--group: There is no group nobody.\n',
  });
  const refused = await opened.run('resources', 'add', 'mcp', '--scopes', 'openid');
  assert.equal(refused.code, 1);
  assert.match(refused.text, /^<uri>: An https address.*\n--scopes: Names.*\n$/);
  const { client_id } = await opened.runJson('clients', 'add', '--name', 'Wiki', ...redirect);
  const changed = await opened.run('clients', 'set', client_id, '--uri', 'wiki', '--backchannel-logout-uri', 'wiki');
  assert.match(changed.text, /^--backchannel-logout-uri: .*\n--uri: .*\n$/);
});

test('resources are added, listed and removed', async () => {
  await using opened = await open();
  const { run, events } = opened;
  const uri = 'https://mcp.example.com/';
  const add = ['resources', 'add', uri, '--scopes', 'files:read', 'files:write', '--jwt'];
  assert.deepEqual(await run(...add), { code: 0, text: `Added ${uri}.\n` });
  assert.deepEqual(await run(...add), { code: 1, text: '<uri>: There is a server with this address already.\n' });
  assert.equal(
    (await run('resources', 'list')).text,
    `RESOURCE                  TOKENS     ASKS AS  SCOPES\n${uri}  jwt RS256           files:read files:write\n`,
  );
  assert.equal((await run('resources', 'remove', uri)).text, 'The resource is removed.\n');
  assert.equal((await run('resources', 'remove', uri)).code, 1);
  assert.deepEqual(await events(), [`resource-added ${uri}`, `resource-removed ${uri}`]);
});

test('a resource gets a secret to ask about tokens, and another signature', async () => {
  await using opened = await open();
  const { run, runJson, events } = opened;
  const [uri, signed] = ['https://files.example.com', 'https://mcp.example.com'];
  await run('resources', 'add', uri, '--scopes', 'files:read');
  await run('resources', 'add', signed, '--scopes', 'files:read', '--alg', 'ES256');
  const given = await run('resources', 'set', uri, '--secret');
  const [, id] =
    /^client_id: ([\w-]{22})\nclient_secret: [\w-]{43}\nThe secret is shown only now\.\n$/.exec(given.text) ?? [];
  assert.ok(id, given.text);
  assert.equal((await runJson('resources', 'set', uri, '--secret')).client_id, id);
  const list = (await run('resources', 'list', '--json')).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    list.map(({ alg, client_id }) => [alg, client_id]),
    [
      [null, id],
      ['ES256', null],
    ],
  );
  assert.equal((await run('resources', 'set', signed, '--secret')).code, 1);
  assert.equal((await run('resources', 'set', uri)).code, 1);
  assert.deepEqual((await events()).slice(-2), Array(2).fill(`resource-secret-rotated ${uri}`));
});

test('a program trusts workloads of other issuers, with keys of a file, until the list is emptied', async () => {
  await using opened = await open();
  const { run, runJson } = opened;
  const folder = createTemporaryFolder('keys');
  const file = join(folder.path, 'cluster.json');
  writeFileSync(file, JSON.stringify({ keys: [createIssuerKey('one').jwk] }, undefined, 2));
  await run('groups', 'add', 'staff');
  const program = ['--machine', '--scope', 'users:read', '--within', 'staff'];
  const trust = ['--trust', 'github:o/r,repository_id=42'];
  const {
    client_id: id,
    client_secret,
    secrets,
  } = await runJson('clients', 'add', '--name', 'CI', ...program, ...trust);
  assert.deepEqual([client_secret, secrets], [null, []]);
  const cluster = `kubernetes:prod/api,jwks=${file},issuer=https://kubernetes.default.svc,uid=u`;
  const set = await run('clients', 'set', id, ...trust, '--trust', cluster);
  assert.equal(set.code, 0, set.text);
  const described = async () =>
    (await runJson('clients', 'show', id)).trusts.map((one: Record<string, unknown>) => [
      one.issuer,
      one.uploaded_keys,
    ]);
  assert.deepEqual(await described(), [
    ['https://token.actions.githubusercontent.com', null],
    ['https://kubernetes.default.svc', 1],
  ]);
  for (const [value, pattern] of [
    ['github:o/r', /^--trust: github:o\/r would let in others too.*repository_id/],
    ['issuer=http://ci.example.com,sub=a', /^--trust: issuer=http.* can’t be used/],
    [`issuer=https://a.example.com,sub=a,jwks=${folder.path}/none`, /cannot be read as a key set/],
  ] as const) {
    const refused = await run('clients', 'set', id, '--trust', value);
    assert.equal(refused.code, 1);
    assert.match(refused.text, pattern);
  }
  await run('clients', 'set', id, '--scope', 'users:write', '--within', 'staff');
  assert.equal((await described()).length, 2, 'another setting leaves them');
  await run('clients', 'set', id, '--trust', '');
  assert.deepEqual(await described(), []);
  folder.remove();
});

test('a program keeps what a change does not name, is listed as one, and ends without redirect addresses', async () => {
  await using opened = await open();
  const { run, runJson } = opened;
  const files = 'https://files.example.com';
  for (const name of ['staff', 'sales']) await run('groups', 'add', name);
  await run('resources', 'add', files, '--scopes', 'files:read');
  const scopes = ['--scope', 'users:read', '--scope', 'users:write'];
  const may = ['--may', `${files}=files:read`];
  await run('clients', 'add', '--name', 'HR', '--machine', ...scopes, '--within', 'staff', ...may);
  const set = (...args: string[]) => run('clients', 'set', 'HR', ...args);
  const machine = async () => (await runJson('clients', 'show', 'HR')).machine;
  const listed = async () =>
    (await run('clients', 'list')).text
      .split('\n')[1]
      ?.trimEnd()
      .replace(/^\S+ {2}/, '');
  const granted = { scopes: ['users:read', 'users:write'], within: ['staff'], granted_by: null };
  const files_read = [{ uri: files, scopes: ['files:read'] }];
  assert.deepEqual(await machine(), { ...granted, may: files_read });
  assert.equal(await listed(), 'HR    a program within staff');
  for (const [args, expected] of [
    [['--within', 'staff,sales'], { ...granted, within: ['staff', 'sales'], may: files_read }],
    [['--scope', 'users:read'], { scopes: ['users:read'], within: ['staff', 'sales'], may: files_read }],
    [['--may', ''], { scopes: ['users:read'], within: ['staff', 'sales'], may: [] }],
    [['--machine'], { scopes: ['users:read'], within: ['staff', 'sales'], may: [] }],
  ] as const) {
    assert.deepEqual(await set(...args), { code: 0, text: 'Changed HR.\n' });
    assert.deepEqual(await machine(), { granted_by: null, ...expected });
  }
  assert.equal((await set('--scope', '')).text, '--scope: Required.\n');
  assert.equal((await set('--within', '')).text, '--within: Required.\n');
  assert.match((await run('export', '--apply')).text, /name: HR/);

  assert.deepEqual(await set('--no-machine'), { code: 0, text: 'Changed HR.\n' });
  assert.equal(await machine(), null);
  assert.equal(await listed(), 'HR    nobody');
  assert.doesNotMatch((await run('export', '--apply')).text, /name: HR/, 'it could not be added elsewhere');
  assert.equal((await set('--within', 'staff')).text, '--scope: Required.\n', 'what it could do does not come back');
  assert.equal((await set('--uri', 'https://hr.example.com/')).code, 0);
  assert.equal((await set(...redirect)).code, 0);
  assert.match((await listed()) ?? '', /^HR +all users +https:/);
  assert.equal((await set('--redirect-uri', '')).text, '--redirect-uri: Required.\n');
});

test('a client proves itself by keys of a file, or at an address, in place of a secret', async () => {
  await using opened = await open();
  const { run, runJson } = opened;
  const folder = createTemporaryFolder('keys');
  const file = (keys: object[]) => {
    const path = join(folder.path, 'keys.json');
    writeFileSync(path, JSON.stringify({ keys }, undefined, 2));
    return path;
  };
  const key = createIssuerKey('one');
  const added = ['clients', 'add', '--name', 'Wiki', ...redirect, '--jwks', file([key.jwk])];
  const { client_id: id, client_secret, secrets, jwks } = await runJson(...added);
  assert.deepEqual([client_secret, secrets, jwks], [null, [], [{ kid: 'one', kty: 'EC', crv: 'P-256' }]]);
  for (const [args, pattern] of [
    [['--jwks', file([key.privateKey.export({ format: 'jwk' })])], /^--jwks: There is a private or symmetric key/],
    [['--jwks', `${folder.path}/none`], /cannot be read as a key set/],
    [['--jwks-uri', 'https://wiki.example.com/jwks'], /^--jwks-uri: Either keys or their address/],
    [['--jwks', '', '--jwks-uri', 'http://wiki.example.com/jwks'], /^--jwks-uri: An https address/],
  ] as const) {
    const refused = await run('clients', 'set', id, ...args);
    assert.equal(refused.code, 1);
    assert.match(refused.text, pattern);
  }
  const moved = await run('clients', 'set', id, '--jwks', '', '--jwks-uri', 'https://wiki.example.com/jwks');
  assert.equal(moved.code, 0, moved.text);
  const shown = await runJson('clients', 'show', id);
  assert.deepEqual([shown.jwks, shown.jwks_uri], [[], 'https://wiki.example.com/jwks']);
  assert.match((await run('clients', 'rotate-secret', id)).text, /no secret of it counts/);
  folder.remove();
});
