import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import manifest from '../package.json' with { type: 'json' };

interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  hasInstallScript?: boolean;
  license?: string;
}

async function lockedPackages(): Promise<[string, LockedPackage][]> {
  const lock = JSON.parse(await readFile(new URL('../package-lock.json', import.meta.url), 'utf8'));
  return Object.entries<LockedPackage>(lock.packages).filter(([path]) => path !== '');
}

test('every package is locked by its hash, from no particular host, and runs nothing at install', async () => {
  for (const [path, { integrity, resolved, hasInstallScript }] of await lockedPackages()) {
    assert.match(String(integrity), /^sha512-/, path);
    assert.equal(resolved, undefined, path);
    assert.equal(hasInstallScript, undefined, path);
  }
});

test('the own Node is one version on every platform, and the one that runs here', async () => {
  const runtimes = Object.entries(manifest.optionalDependencies);
  assert.equal(runtimes.length, 5);
  for (const [name, version] of runtimes) assert.equal(`v${version}`, process.version, name);
});

test('every version is exact', () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  for (const [name, version] of Object.entries(all)) assert.match(version, /^\d+\.\d+\.\d+$/, name);
});

test('every licence is one that a company can take', async () => {
  const known =
    /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|MPL-2\.0|CC0-1\.0|BlueOak-1\.0\.0|0BSD|MIT OR Apache-2\.0|\(MIT OR Apache-2\.0\)|Unlicense|Python-2\.0|\(MIT OR CC0-1\.0\))$/;
  for (const [path, { license }] of await lockedPackages()) assert.match(String(license), known, path);
});
