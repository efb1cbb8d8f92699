import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { isLong } from '../long.ts';
import { blocksOf, root } from '../page-examples.ts';
import { findProgram } from '../servers/find-program.ts';

const run = promisify(execFile);
const missing = ['buildah', 'minisign'].filter((name) => findProgram(name) === undefined);

test('the files of a release are signed, and a changed one is noticed by the commands of the page', {
  skip: !isLong ? 'it belongs to npm run test:long' : missing.length > 0 && `not installed: ${missing}`,
}, async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'janua-release-'));
  const [key, out] = [join(folder.path, 'key'), join(folder.path, 'out')];
  await run('minisign', ['-G', '-W', '-s', key, '-p', join(folder.path, 'key.pub')]);
  const script = join(root, 'scripts/release-files.ts');
  await run(process.execPath, [script, out, '--key', key, '--processor', 'x64'], { maxBuffer: 2 ** 26 });
  const [page = ''] = blocksOf(await readFile(join(root, 'docs/releasing.md'), 'utf8'), 'sh').filter((block) =>
    block.includes('--check'),
  );
  const check = () =>
    run('sh', ['-euc', page], { cwd: out }).then(
      () => true,
      () => false,
    );
  assert.ok(await check());

  const made = (await readdir(out)).filter((name) => /\.(?:tar|tgz)$/.test(name));
  assert.equal(made.length, 2);
  const sums = await readFile(join(out, 'SHA256SUMS'), 'utf8');
  for (const name of made) {
    const statement = JSON.parse(await readFile(join(out, `${name}.intoto.json`), 'utf8'));
    assert.ok(sums.includes(`${statement.subject[0].digest.sha256}  ${name}\n`), name);
    const { components } = JSON.parse(await readFile(join(out, `${name}.cdx.json`), 'utf8'));
    assert.ok(
      components.some((part: { name: string }) => part.name === 'fastify'),
      name,
    );
  }

  const changed = `${manifest.name}-${manifest.version}.tgz`;
  await appendFile(join(out, changed), 'x');
  assert.equal(await check(), false, 'a changed file');
  const digest = (await run('sha256sum', [changed], { cwd: out })).stdout.slice(0, 64);
  await writeFile(
    join(out, 'SHA256SUMS'),
    sums.replace(new RegExp(`^\\w+ {2}${changed}$`, 'm'), `${digest}  ${changed}`),
  );
  assert.equal(await check(), false, 'a changed file with a changed sum');
});
