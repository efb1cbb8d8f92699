import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import lock from '../package-lock.json' with { type: 'json' };

const root = fileURLToPath(new URL('..', import.meta.url));

test('the pinned Node has the same version on every platform, and runs these tests', () => {
  const runtimes = Object.entries(manifest.optionalDependencies);
  assert.equal(runtimes.length, 5);
  for (const [name, version] of runtimes) assert.equal(`v${version}`, process.version, name);
});

test('npm run sbom lists every package, even those for development and for other platforms', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], { cwd: root, maxBuffer: 2 ** 26 });
  const { bomFormat, components } = JSON.parse(stdout);
  assert.equal(bomFormat, 'CycloneDX');
  const listed = new Set(components.map(({ name }: { name: string }) => name));
  const installed = Object.keys(lock.packages).filter((path) => path !== '');
  for (const path of installed) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    assert.ok(listed.has(name), name);
  }
});
