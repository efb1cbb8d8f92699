import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { judgeDependencies, type LockEntry, readAdvisories } from '../../scripts/dependencies.ts';

const good: LockEntry = { integrity: 'sha512-x', license: 'MIT' };
const judge = (entry: LockEntry) => judgeDependencies({}, { packages: { '': {}, 'node_modules/a': entry } });
const read = (name: string) => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'));

test('the packages are pinned, run no install script, and have digests and agreed licences', () => {
  assert.deepEqual(judgeDependencies(read('package.json'), read('package-lock.json')), [
    // A test needs it. It is MIT by its LICENSE. Its manifest is older than the licence field that npm reads.
    'passport-strategy has the licence (none)',
  ]);
});

test('the packages of the measured peers follow the same rules, and hash with the same package', () => {
  const manifest = read('bench/peers/package.json');
  assert.deepEqual(judgeDependencies(manifest, read('bench/peers/package-lock.json')), [
    // All three are MIT by their LICENSE or Readme. Their manifests are older than the licence field that npm reads.
    'passport-local has the licence (none)',
    'passport-strategy has the licence (none)',
    'pause has the licence (none)',
  ]);
  const { dependencies } = read('package.json');
  assert.equal(manifest.dependencies['@node-rs/argon2'], dependencies['@node-rs/argon2']);
});

describe('a package is refused', () => {
  for (const [name, entry, fault] of [
    ['that runs a script at install', { ...good, hasInstallScript: true }, 'a runs a script at install'],
    ['without a digest', { license: 'MIT' }, 'a has no SHA-512 digest'],
    ['with a weak digest', { ...good, integrity: 'sha1-x' }, 'a has no SHA-512 digest'],
    [
      'from another source than the registry',
      { ...good, resolved: 'git+ssh://example.com/a' },
      /^a has its own source/,
    ],
    [
      'from another address than the registry',
      { ...good, resolved: 'https://example.com/a.tgz' },
      /^a has its own source/,
    ],
    ['that is a link to a folder', { ...good, link: true }, /^a has its own source/],
    ['of a licence that was not agreed to', { ...good, license: 'AGPL-3.0' }, 'a has the licence AGPL-3.0'],
    ['without a licence', { integrity: 'sha512-x' }, 'a has the licence (none)'],
    ['with a licence for tools, when it is distributed', { ...good, license: 'MPL-2.0' }, 'a has the licence MPL-2.0'],
  ] as const)
    test(name, () => {
      const [found = ''] = judge(entry);
      assert.match(found, fault instanceof RegExp ? fault : new RegExp(`^${fault.replace(/[()]/g, '\\$&')}$`));
    });

  test('that is not pinned', () => {
    for (const version of ['^1.0.0', '*', 'latest', 'https://example.com/a.tgz', '1.0'])
      assert.equal(judgeDependencies({ dependencies: { a: version } }, { packages: {} }).length, 1, version);
  });
});

test('a development tool may have a licence that a distributed package may not', () => {
  assert.deepEqual(judge({ ...good, license: 'MPL-2.0', dev: true }), []);
});

test('known faults are named, and a failed audit does not count as no faults', () => {
  assert.deepEqual(readAdvisories('{"vulnerabilities":{"a":{"severity":"high"}}}'), ['a has a known fault (high)']);
  assert.deepEqual(readAdvisories('{"vulnerabilities":{}}'), []);
  for (const printed of ['', '{"message":"audit endpoint returned an error"}', 'npm error'])
    assert.equal(readAdvisories(printed), undefined);
});
