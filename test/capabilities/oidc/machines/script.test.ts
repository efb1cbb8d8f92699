import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { blocksOf, root } from '../../../page-examples.ts';
import { addTo } from '../../admin/administrator.ts';
import { openProvider, wiki } from '../application.ts';

const run = promisify(execFile);
const page = await readFile(`${root}docs/administration.md`, 'utf8');

test('the script of docs/administration.md invites, disables and enables the people of a list', async () => {
  await using server = await openProvider({
    settings: { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' },
  });
  const { clientAdministration, groups, users } = server.janua.services;
  await groups.add({ name: 'staff', description: '', scopes: [] });
  for (const name of ['ann.baker', 'bob']) await addTo(server.janua, `${name}@example.com`, ['staff']);
  await addTo(server.janua, 'other@example.com', []);
  const machine = { scopes: ['users:read', 'users:write'], within: ['staff'], may: {} };
  const { client, secret } = await clientAdministration.addClient({ ...wiki, own: false, redirectUris: [], machine });
  const folder = await mkdtemp(join(tmpdir(), 'janua-script-'));
  try {
    const [script = ''] = blocksOf(page, 'python');
    await writeFile(join(folder, 'people.py'), script);
    async function follow(...emails: string[]) {
      const rows = emails.map((email) => `${email},Some,"Body, Jr."\n`);
      await writeFile(join(folder, 'people.csv'), `email,first_name,last_name\n${rows.join('')}`);
      const { stdout } = await run('python3', ['people.py', 'people.csv'], {
        cwd: folder,
        env: { ...process.env, JANUA_URL: server.origin, CLIENT_ID: client.id, CLIENT_SECRET: secret },
      });
      return stdout;
    }
    const [ann, bob, eve] = ['ann.baker@example.com', 'bob@example.com', 'eve@example.com'] as const;
    assert.equal(await follow(ann, 'Eve@example.com'), `invited ${eve}\ndisable ${bob}\n`);
    const isDisabled = async (email: string) => (await users.findByUsername(email))?.disabled;
    assert.deepEqual(await Promise.all([ann, bob, eve, 'other@example.com'].map(isDisabled)), [
      false,
      true,
      false,
      false,
    ]);
    assert.equal(await follow(ann, eve), '');
    assert.equal(await follow(ann, bob, eve), `enable ${bob}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
});
