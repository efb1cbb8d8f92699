import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createWorkplace } from './commands/janua-command.ts';
import { password } from './janua.ts';
import { copyOurs, root } from './page-examples.ts';

const page = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8');
const example = await readFile(join(root, 'docs/develop/add-a-capability.md'), 'utf8');

test('every wing has an import rule in biome.json, and every room is in the table', async () => {
  const rules = await readFile(join(root, 'biome.json'), 'utf8');
  const foldersIn = async (path: string) =>
    (await readdir(join(root, path), { withFileTypes: true })).flatMap((entry) =>
      entry.isDirectory() ? entry.name : [],
    );
  const wings = await foldersIn('src');
  for (const name of wings)
    assert.match(rules, new RegExp(`"src/${name}/(?:\\*/)?\\*\\*"`), `${name} has an import rule`);
  const roomsIn = async (wing: string) => (await foldersIn(`src/${wing}`)).map((name) => `${wing}/${name}`);
  const rooms = (await Promise.all(['ground', 'core', 'capabilities'].map(roomsIn))).flat();
  assert.ok(rooms.length > 20);
  for (const name of [...wings.filter((wing) => !/ground|core|capabilities/.test(wing)), ...rooms])
    assert.ok(page.includes(`| \`${name}/\` |`), `${name} is in the table`);
});

test('every file that CONTRIBUTING.md names exists', async () => {
  const ours = /[`(]((?:src|test|scripts|lint|security|docs)\/[\w./-]+)[`)]/g;
  for (const [, path = ''] of page.matchAll(ours)) await access(join(root, path));
});

/** The blocks of the example. Each is a new file or a change to a file, with its path above. */
const blocks = [...example.matchAll(/`([\w./-]+)`[^`]*:\n\n```(ts|html|diff)\n(.*?)```/gs)].map(
  ([, path = '', language, code = '']) => ({ path, code, changes: language === 'diff' }),
);

/** Applies a diff to a text. `@@` separates the places in the diff. */
function change(text: string, changes: string, path: string): string {
  return changes.split('@@\n').reduce((changed, place) => {
    /** Drops the lines with this mark, and all marks. */
    const without = (mark: string) => place.replaceAll(new RegExp(`^\\${mark}.*\n`, 'gm'), '').replaceAll(/^./gm, '');
    const old = without('+');
    assert.equal(changed.split(old).length, 2, `${path} must contain these lines once:\n${old}`);
    return changed.replace(old, () => without('-'));
  }, text);
}

describe('the capability of the example', { concurrency: true }, () => {
  let copy: Awaited<ReturnType<typeof copyOurs>>;

  before(async () => {
    copy = await copyOurs([
      'src',
      'selftest',
      'lint',
      'package.json',
      'tsconfig.json',
      'biome.json',
      'test/client.ts',
      'test/web/faces.ts',
      'test/web/server.ts',
    ]);
    assert.equal(blocks.length, example.match(/^```\w/gm)?.length, 'each code block has a path');
    for (const { path, code, changes } of blocks) {
      const file = join(copy.path, path);
      await mkdir(dirname(file), { recursive: true });
      if (changes) await writeFile(file, change(await readFile(file, 'utf8'), code, path));
      else await writeFile(file, code, { flag: 'wx' });
    }
  });
  after(() => copy[Symbol.dispose]());

  /** Runs one of our development tools in the copy. */
  async function run(tool: string, ...args: string[]): Promise<void> {
    const script = join(root, 'node_modules', tool);
    await promisify(execFile)(process.execPath, [script, ...args], { cwd: copy.path }).catch((error) => {
      assert.fail(`${error.stdout}${error.stderr}`);
    });
  }

  test('compiles', () => run('typescript/bin/tsc'));

  test('follows the rules of lint, format and imports', () =>
    run('@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '--vcs-enabled=false'));

  test('greets on a page and in JSON, counts, refuses, and explains the refusal', async () => {
    await using workplace = await createWorkplace(join(copy.path, 'src/cli.ts'));
    const janua = async (args: string[], input = '') => {
      const { code, stdout, stderr } = await workplace.run(args, { input });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    assert.match(await janua(['migrate']), /2026-12-20-greetings/);
    for (const [name, firstName] of [
      ['ann', 'Ann'],
      ['bob', ''],
    ] as const)
      await janua(['users', 'add', `${name}@example.com`, '--first-name', firstName, '--last-name', 'A'], password);
    const server = await workplace.start(['serve'], { GREETING: 'Good day' });

    async function signIn(username: string) {
      const body = new URLSearchParams({ username, password });
      const login = await fetch(`${server.url}/api/login`, { method: 'POST', body });
      assert.equal(login.status, 200);
      const cookie = login.headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; ');
      return (path: string) => fetch(`${server.url}${path}`, { headers: { cookie } });
    }

    const ann = await signIn('ann@example.com');
    const shown = await (await ann('/account/hello')).text();
    assert.match(shown, /<title>Janua Hello<\/title>/);
    assert.match(shown, /<h1>Good day, Ann<\/h1>/);
    assert.match(shown, /<p>1 greeting so far</);
    assert.deepEqual(await (await ann('/api/account/hello')).json(), { text: 'Good day, Ann', count: 2 });

    const visitor = await fetch(`${server.url}/api/account/hello`);
    assert.equal(visitor.status, 401);

    const bob = await signIn('bob@example.com');
    const refusedPage = await bob('/account/hello');
    assert.equal(refusedPage.status, 409);
    assert.match(await refusedPage.text(), /<[^>]+>Your account has no first name</);
    const refused = await bob('/api/account/hello');
    assert.equal(refused.status, 409);
    const detail = 'Your account has no first name';
    const { request_id: id, ...problem } = (await refused.json()) as { request_id: string };
    assert.match(id, /^[\da-f-]{36}$/);
    assert.deepEqual(problem, { title: 'Conflict', status: 409, detail });
    const explained = await janua(['explain', refused.headers.get('x-request-id') ?? '']);
    assert.match(explained, /The user was not greeted: the account has no first name\./);
    assert.match(explained, /To do +Add the first name of bob@example\.com/);
    await server.stop();
  });
});
