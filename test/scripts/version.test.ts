import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const parts = [
  'README.md',
  ...['scripts/version.ts', 'package.json', 'package-lock.json', 'docs/deployment.md', 'docs/library.md'],
  ...['deploy/compose.yaml', 'deploy/kubernetes.yaml'],
];

const identity = { GIT_AUTHOR_NAME: 'Ann', GIT_AUTHOR_EMAIL: 'ann@example.com' };
const committer = { GIT_COMMITTER_NAME: 'Ann', GIT_COMMITTER_EMAIL: 'ann@example.com' };

test('a release commits its version, and tags it with the notes of the changelog', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'janua-release-'));
  const cwd = folder.path;
  function run(program: string, ...args: readonly string[]) {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, ...identity, ...committer, GIT_CONFIG_GLOBAL: '/dev/null' },
    });
    return { status, text: stdout + stderr };
  }
  const tag = (...args: readonly string[]) => run(process.execPath, 'scripts/version.ts', ...args);
  const read = (name: string) => readFile(join(cwd, name), 'utf8');

  for (const part of parts) await cp(join(root, part), join(cwd, part));
  await writeFile(
    join(cwd, 'CHANGELOG.md'),
    '# Changelog\n\n## Unreleased\n\n### Added\n- Doors.\n\n## 0.0.1 - 2026-01-01\n- Walls.\n',
  );
  run('git', 'init', '--quiet');
  run('git', 'add', '.');
  run('git', 'commit', '--quiet', '--message', 'Begin');

  assert.match(tag('next').text, /Name the version/);
  await writeFile(join(cwd, 'notes.txt'), '');
  assert.match(tag('98.0.0').text, /not committed/);
  run('git', 'clean', '--quiet', '--force');
  assert.equal(run('git', 'tag').text, '');

  assert.deepEqual(tag('98.0.0').status, 0);
  assert.match(run('git', 'tag', '--list', '--format=%(contents)').text, /^Janua 98\.0\.0\n\n### Added\n- Doors\.\n+$/);
  assert.equal(run('git', 'rev-parse', 'v98.0.0^{commit}').text, run('git', 'rev-parse', 'HEAD').text);
  assert.equal(run('git', 'status', '--porcelain').text, '');
  for (const name of ['package.json', 'package-lock.json'])
    assert.equal(JSON.parse(await read(name)).version, '98.0.0');
  assert.match(await read('CHANGELOG.md'), /## Unreleased\n\n## 98\.0\.0 - \d{4}-\d\d-\d\d\n\n### Added\n/);
  assert.match(await read('docs/deployment.md'), /janua-98\.0\.0\.tgz/);
  for (const name of ['compose', 'kubernetes']) assert.match(await read(`deploy/${name}.yaml`), /janua:98\.0\.0\b/);

  assert.match(tag('98.0.0').text, /already/);
  assert.match(tag('98.0.1').text, /says nothing/);
});
