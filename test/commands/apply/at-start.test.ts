import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ClientSecretBasic } from 'openid-client';
import { createApplication } from '../../capabilities/oidc/application.ts';
import { Browser } from '../../capabilities/oidc/browser.ts';
import { findFreePort } from '../../servers/throw-away-server.ts';
import { createWorkplace, type Workplace } from '../janua-command.ts';

const secret = '0123456789abcdef0123456789abcdef';
const names = ['wiki', 'files', 'chat', 'mail', 'git'];
const callback = (name: string) => `https://${name}.example.com/callback`;

const five = `name: production
groups: [{name: staff, scopes: [users:read]}]
clients:
${names
  .map(
    (name) =>
      `  - {client_id: ${name}, name: ${name}, own: true, redirect_uris: [${callback(name)}], secret_file: secret}`,
  )
  .join('\n')}
users:
  - {username: ann@example.com, first_name: Ann, last_name: Archer, groups: [admins, staff]}
`;

async function open() {
  const workplace = await createWorkplace();
  const write = (text: string, name = 'janua.yaml') => writeFile(join(workplace.folder, name), text);
  await write(secret, 'secret');
  return {
    write,
    // The links of a file need the address of the server before it listens.
    start: async (...args: string[]) =>
      workplace.start(['serve', ...args], { APPLY_FILE: 'janua.yaml', PORT: `${await findFreePort()}` }),
    fail: (...args: string[]) =>
      workplace.run(['serve', ...args], { env: { APPLY_FILE: 'janua.yaml', PORT: '0' }, alone: true }),
    export: () => workplace.run(['export', '--apply']).then(({ stdout }) => stdout),
    workplace,
    [Symbol.asyncDispose]: workplace[Symbol.asyncDispose],
  } satisfies { readonly workplace: Workplace } & Record<string | symbol, unknown>;
}

const warnings = (output: string) =>
  output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level >= 40);

test('one file sets up a server with five applications, and its administrator signs in to one', async () => {
  await using server = await open();
  await server.write(five);
  const running = await server.start('--migrate');
  assert.doesNotMatch(running.output, /first-administrator|0123456789abcdef/);
  const [link] = /http:\/\/localhost:\d+\/auth\/sign-up\/finish\?token=[\w-]{43}/.exec(running.output) ?? assert.fail();
  const token = new URL(link).searchParams.get('token') ?? '';
  const password = 'plover quarry ladder';
  const body = JSON.stringify({ token, first_name: 'Ann', last_name: 'Archer', password });
  const headers = { 'content-type': 'application/json' };
  const chosen = await fetch(`${running.url}/api/sign-up/finish`, { method: 'POST', headers, body });
  assert.equal(chosen.status, 201, await chosen.text());
  for (const clientId of names.slice(0, 2)) {
    const origin = running.url.replace('127.0.0.1', 'localhost');
    const browser = new Browser(origin);
    await browser.logIn('ann@example.com', password);
    const application = await createApplication({
      origin,
      ...{ clientId, secret, authentication: ClientSecretBasic(secret), redirectUris: [callback(clientId)] },
    });
    const claims = (await application.signIn(browser)).claims();
    assert.deepEqual([claims?.email, claims?.groups], ['ann@example.com', ['admins', 'staff']]);
  }
  assert.equal(await running.stop(), 0);
  // The second start finds nothing to do, and offers no link.
  const again = await server.start('--migrate');
  assert.match(again.output, /APPLY_FILE: 0 added, 0 changed, 0 removed/);
  assert.doesNotMatch(again.output, /token=/);
});

test('two servers that start at a time apply the file once', async () => {
  await using server = await open();
  await server.write(five);
  const both = await Promise.all([server.start('--migrate'), server.start('--migrate')]);
  const counts = both.map(({ output }) => /APPLY_FILE: (\d) added/.exec(output)?.[1]);
  assert.deepEqual(counts.toSorted(), ['0', '7']);
  assert.equal(
    both
      .map(({ output }) => output)
      .join()
      .match(/token=/g)?.length,
    1,
  );
});

test('a server with an earlier version of the file does not undo the new one', async () => {
  await using server = await open();
  const file = (name: string, rest = '') =>
    `name: production\nprune: true\nclients: [{client_id: wiki, name: ${name}, redirect_uris: [${callback('wiki')}], public: true}]\n${rest}`;
  const versions = [file('Old'), file('New', 'groups: [{name: staff}]')] as const;
  const startWith = async (version: string) => {
    await server.write(version);
    const running = await server.start('--migrate');
    await running.stop();
    return warnings(running.output).filter(({ event }) => event === 'file_not_applied').length;
  };
  assert.equal(await startWith(versions[0]), 0);
  assert.equal(await startWith(versions[1]), 0);
  const present = await server.export();
  assert.match(present, /name: New[\s\S]*/);
  assert.equal(await startWith(versions[0]), 1);
  assert.equal(await server.export(), present);
  assert.equal(await startWith(versions[1]), 0);
  // A command goes back, and so does a file that says something new.
  await server.write(versions[0]);
  assert.equal((await server.workplace.run(['apply', 'janua.yaml'])).code, 0);
  assert.match(await server.export(), /name: Old/);
  assert.equal(await startWith(versions[1]), 1);
  assert.equal(await startWith(`${versions[1]}\n# again`), 0);
  assert.match(await server.export(), /name: New/);
});

test('a start leaves out a user whose handle or sub is another account’s, and applies the rest', async () => {
  await using server = await open();
  const start = async (address: string, names: string, group: string) => {
    const user = `{username: ${address}, first_name: Ann, last_name: Archer, ${names}, groups: [admins]}`;
    await server.write(`name: production\ngroups: [{name: ${group}}]\nusers: [${user}]`);
    const running = await server.start('--migrate');
    await running.stop();
    assert.match(await server.export(), new RegExp(`name: ${group}`));
    return warnings(running.output).map(({ msg }) => msg);
  };
  const both = 'handle: ann, sub: sub-of-ann';
  assert.match((await start('ann@example.com', both, 'first')).join(), /ann@example.com is an administrator/);
  for (const [names, taken] of [
    [both, 'handle ann'],
    ['sub: sub-of-ann', 'sub sub-of-ann'],
    ['sub: Ann', 'sub Ann'],
    ['handle: sub-of-ann', 'handle sub-of-ann'],
  ] as const)
    assert.deepEqual(await start('anna@example.com', names, `living-${taken.replace(' ', '-').toLowerCase()}`), [
      `not applied: user anna@example.com: The ${taken} is that of ann@example.com. If this is the same person, change the address in the file.`,
    ]);
  assert.doesNotMatch((await server.workplace.run(['users', 'list'])).stdout, /anna@/);
  await server.write(
    'name: production\nusers: [{username: ben@example.com, first_name: B, last_name: B, groups: [admins]}]',
  );
  assert.equal((await server.workplace.run(['apply', 'janua.yaml'])).code, 0);
  assert.equal((await server.workplace.run(['users', 'remove', 'ann@example.com'])).code, 0);
  assert.match(
    (await start('ann@example.com', both, 'gone')).join(),
    /^not applied: user ann@example.com: The account that had the handle ann is gone, and no other/,
  );
});

test('a start removes nothing unless the file says so', async () => {
  await using server = await open();
  const start = async (text: string) => {
    await server.write(text);
    await (await server.start('--migrate')).stop();
  };
  await start('name: production\ngroups: [{name: staff}, {name: press}]');
  await start('name: production\ngroups: [{name: staff}]');
  assert.match(await server.export(), /name: press/);
  await start('name: production\nprune: true\ngroups: [{name: staff}]');
  assert.doesNotMatch(await server.export(), /name: press/);
});

test('an invalid file ends the start with one message, and nothing is changed', async () => {
  await using server = await open();
  await server.write(
    'name: production\ngroups: [{name: good}]\nclients: [{client_id: wiki, name: Wiki, redirect_uris: ["http://wiki.example.com/"]}]',
  );
  const refused = await server.fail('--migrate');
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.match(refused.stderr, /^client wiki: redirect_uris: [^\n]+\n$/);
  assert.doesNotMatch(await server.export(), /name: good/);
  await server.write('name: [production]');
  const unreadable = await server.fail();
  assert.deepEqual([unreadable.code, unreadable.stderr], [2, 'janua.yaml: name must be string.\n']);
});

test('a start makes no secret that would be in the log, and offers the first link if the file adds no administrator', async () => {
  await using server = await open();
  await server.write(
    `name: production\nclients: [{client_id: wiki, name: Wiki, redirect_uris: [${callback('wiki')}]}]`,
  );
  const running = await server.start('--migrate');
  assert.match(running.output, /the client wiki has no secret yet/);
  assert.match(running.output, /first-administrator\?token=/);
  assert.doesNotMatch(running.output, /client_secret/);
  const shown = await server.workplace.run(['clients', 'show', 'wiki', '--json']);
  assert.deepEqual(JSON.parse(shown.stdout).secrets, []);
});
