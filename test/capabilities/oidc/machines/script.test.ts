import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { perClient } from '../../../../src/core/mail/limits.ts';
import { blocksOf, root } from '../../../page-examples.ts';
import { addTo } from '../../admin/administrator.ts';
import { openProvider, wiki } from '../application.ts';

const run = promisify(execFile);
const page = await readFile(`${root}docs/administration.md`, 'utf8');

test('the script of docs/administration.md disables, enables and invites the people of a list', async () => {
  await using server = await openProvider({
    settings: { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com', THROTTLE: 'on' },
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
      const options = {
        cwd: folder,
        env: { ...process.env, JANUA_URL: server.origin, CLIENT_ID: client.id, CLIENT_SECRET: secret },
      };
      // The promise is rejected if the script exits with 1.
      const ended = await run('python3', ['people.py', 'people.csv'], options).catch((error) => error);
      const { stdout, stderr, code = 0 }: { stdout: string; stderr: string; code?: number } = ended;
      return { done: stdout.split('\n').filter(Boolean), told: stderr.split('\n').filter(Boolean), code };
    }
    const [ann, bob, eve] = ['ann.baker@example.com', 'bob@example.com', 'eve@example.com'] as const;
    const quiet = { told: [], code: 0 };
    assert.deepEqual(await follow(ann, ' Eve@example.com'), { done: [`disable ${bob}`, `invite ${eve}`], ...quiet });
    const isDisabled = async (email: string) => (await users.findByUsername(email))?.disabled;
    assert.deepEqual(await Promise.all([ann, bob, eve, 'other@example.com'].map(isDisabled)), [
      false,
      true,
      false,
      false,
    ]);
    assert.deepEqual(await follow(ann, eve), { done: [], ...quiet });
    assert.deepEqual(await follow(ann, bob, eve), { done: [`enable ${bob}`], ...quiet });
    const empty = ['The list is empty. Nothing was changed.'];
    assert.deepEqual(await follow(), { done: [], told: empty, code: 1 });

    // The program does not see `other`, and the mails of the others are too many at a time.
    const many = Array.from({ length: perClient.free + 5 }, (_, index) => `p${index + 10}@example.com`);
    const { done, told, code } = await follow(ann, 'other@example.com', ...many);
    assert.deepEqual(done.slice(0, 2), [`disable ${bob}`, `disable ${eve}`]);
    assert.deepEqual(
      done.slice(2),
      many.slice(0, perClient.free - 1).map((email) => `invite ${email}`),
    );
    assert.match(told[0] ?? '', /^refused: invite other@example\.com 422 .*"request_id":.*There is a user with this/);
    assert.match(told[1] ?? '', /^refused: invite p\d+@example\.com 429 .*"request_id":/);
    assert.deepEqual([told.slice(2), code], [['Too many mails or changes. Run it again later for the others.'], 1]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
