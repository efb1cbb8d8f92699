import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { codeAt, stepSeconds } from '../../../src/capabilities/second-factor/totp-code.ts';
import { isLong } from '../../long.ts';
import { countsOf, openImport } from './import-host.ts';
import { appSecret, group, otp, type Parts } from './realm.ts';

type Host = Awaited<ReturnType<typeof openImport>>;

/** The realms, each with the algorithm of its passwords, and the number of its users. */
const realms = { argon2: 12, sha1: 6, sha256: 6, sha512: 6 };

const passwordOf = (realm: string, index: number) => `Pässword-${realm}-${index}`;

/** Imports the realms of a folder. Each has its own users, so all go to one server. */
async function importAll(host: Host, folder: string): Promise<void> {
  for (const [name, users] of Object.entries(realms)) {
    const { code, stdout, stderr } = await host.importRealm(join(folder, `${name}-realm.json`));
    assert.equal(code, 1, stderr);
    assert.equal(stdout, '');
    assert.deepEqual(countsOf(stderr).Users, [users, 0, 0], stderr);
    assert.match(stderr, new RegExp(`client job-${name}: not added\\. It signs no users in`));
  }
}

/** Signs in each user whose realm is in the folder. The third one of each has an app, and the fourth one is disabled. */
async function signAllIn({ workplace, env }: Host): Promise<void> {
  const { url, stop } = await workplace.start(['serve'], env);
  const post = async (path: string, fields: Record<string, string>) => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(fields) });
    return { status: answer.status, body: (await answer.json()) as Record<string, string> };
  };
  for (const [name, users] of Object.entries(realms))
    for (let index = 0; index < users; index += 1) {
      const about = `${name} ${index}`;
      const login = { username: `user${index}@${name}.example.com`, password: passwordOf(name, index) };
      const { status, body } = await post('/api/login', login);
      if (index === 3) assert.equal(body.error, 'invalid_grant', about);
      else if (index !== 2) assert.equal(status, 200, about);
      else {
        const code = codeAt(Buffer.from(appSecret), Math.floor(Date.now() / 1000 / stepSeconds));
        const { mfa_token = '' } = body;
        assert.equal((await post('/api/second-factor', { mfa_token, method: 'totp', code })).status, 200, about);
      }
    }
  await stop();
}

test('realms that Keycloak 26.4.0 has exported come whole, and their users sign in', async () => {
  await using host = await openImport();
  const folder = join(host.workplace.folder, 'exports');
  await cp(fileURLToPath(new URL('exports', import.meta.url)), folder, { recursive: true });
  assert.match(
    (await host.importRealm('exports')).stderr,
    /has several realms\. Name the file of one, such as exports\//,
  );
  await importAll(host, folder);
  assert.equal((await host.rows('janua_identities')).length, 4);
  assert.equal((await host.rows('janua_totp')).length, 4);
  const groups = (await host.rows('janua_groups')).map(({ name }) => name).sort();
  assert.deepEqual(groups, ['admins', 'role-editor', 'staff', 'staff-it-support']);
  await signAllIn(host);
});

test('a users file of another realm, and one that is cut off, change nothing', async () => {
  await using host = await openImport();
  const folder = join(host.workplace.folder, 'exports');
  await cp(fileURLToPath(new URL('exports', import.meta.url)), folder, { recursive: true });
  for (const [text, reason] of [
    ['{"realm":"other","users":[]}', /The files are of several realms/],
    ['{"realm":"sha1","users":[\n{', /^Line 2 of sha1-users-7\.json: this is no export of a realm: it ends in the/m],
  ] as const) {
    await writeFile(join(folder, 'sha1-users-7.json'), text);
    const { code, stderr } = await host.importRealm(join(folder, 'sha1-realm.json'));
    assert.equal(code, 2);
    assert.match(stderr, reason);
  }
  assert.deepEqual(await host.rows('janua_users'), []);
});

/** The folder of Keycloak, in which `bin/kc.sh` is. It needs Java 17 or later. */
const keycloak = process.env.KEYCLOAK_HOME;

const seed = (realm: string, algorithm: string, count: number): Parts => ({
  realm,
  enabled: true,
  passwordPolicy: `hashAlgorithm(${algorithm})`,
  users: Array.from({ length: count }, (_, index) => ({
    ...{ username: `${realm}.user${index}`, email: `user${index}@${realm}.example.com`, enabled: index !== 3 },
    credentials: [{ type: 'password', value: passwordOf(realm, index) }, ...(index === 2 ? [otp()] : [])],
    groups: index === 0 ? ['/staff'] : [],
  })),
  groups: [group('staff')],
  clients: [
    { clientId: `wiki-${realm}`, redirectUris: ['https://wiki.example.com/callback'] },
    { clientId: `job-${realm}`, serviceAccountsEnabled: true, standardFlowEnabled: false },
  ],
});

test('users of a real Keycloak sign in after the move', {
  skip: !isLong ? 'it belongs to npm run test:long' : keycloak === undefined && 'KEYCLOAK_HOME is not set',
}, async () => {
  await using host = await openImport();
  const inFolder = (name: string) => join(host.workplace.folder, name);
  await mkdir(inFolder('seeds'));
  for (const [name, count] of Object.entries(realms)) {
    const algorithm = { argon2: 'argon2', sha1: 'pbkdf2' }[name] ?? `pbkdf2-${name}`;
    await writeFile(inFolder(`seeds/${name}-realm.json`), JSON.stringify(seed(name, algorithm, count)));
  }
  const env = { ...process.env, KC_DB_URL: `jdbc:h2:file:${inFolder('keycloak')};NON_KEYWORDS=VALUE` };
  const kc = (...args: string[]) => promisify(execFile)(join(keycloak ?? '', 'bin/kc.sh'), args, { env });
  await kc('import', '--dir', inFolder('seeds'));
  await kc('export', '--dir', inFolder('out'), '--users', 'different_files', '--users-per-file', '5');
  await importAll(host, inFolder('out'));
  await signAllIn(host);
});
