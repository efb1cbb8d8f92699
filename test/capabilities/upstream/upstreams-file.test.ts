import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadSettings } from '../../../src/ground/config/load.ts';
import { readUpstreams } from '../../../src/ground/config/upstreams-file.ts';
import { faultsOf } from '../../../src/ground/faults/misconfiguration.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import { google, writeUpstreams } from './opened.ts';

function faultsIn(content: unknown): string[] {
  using file = writeUpstreams(content);
  return faultsOf(() => readUpstreams(file.path)).map(({ message }) => message);
}

test('the file has what each kind needs, and the rest is known', () => {
  const folder = createTemporaryFolder('secret');
  const path = join(folder.path, 'secret');
  writeFileSync(path, 'from a file\n');
  const client = { clientId: 'c', clientSecret: 's' };
  using file = writeUpstreams([
    { id: 'g', kind: 'google', ...client },
    { id: 'm', kind: 'microsoft', tenant: 'common', clientId: 'c', clientSecretFile: path },
    { id: 'h', kind: 'github', ...client, trustedDomains: ['*', 'Bücher.example'] },
    { id: 'l', kind: 'gitlab', ...client },
    { id: 'k', kind: 'keycloak', issuer: 'https://keys.example/realms/x', name: 'Staff', ...client },
    { id: 'o', kind: 'openid', issuer: 'https://id.example', ...client },
    { id: 'j', kind: 'janua', issuer: 'http://localhost:5001', ...client },
  ]);
  const read = readUpstreams(file.path);
  folder.remove();
  assert.deepEqual(
    read.map(({ id, name, issuer, clientSecret }) => [id, name, issuer, clientSecret]),
    [
      ['g', 'Google', 'https://accounts.google.com', 's'],
      ['m', 'Microsoft', 'https://login.microsoftonline.com/common/v2.0', 'from a file'],
      ['h', 'GitHub', 'https://github.com', 's'],
      ['l', 'GitLab', 'https://gitlab.com', 's'],
      ['k', 'Staff', 'https://keys.example/realms/x', 's'],
      ['o', 'id.example', 'https://id.example', 's'],
      ['j', 'Janua', 'http://localhost:5001', 's'],
    ],
  );
  assert.deepEqual(read[2]?.trustedDomains, ['*', 'bücher.example']);
  assert.deepEqual(readUpstreams(undefined), []);
});

describe('a fault in the file', () => {
  for (const [name, content, ...faults] of [
    ['no JSON', '[{"clientSecret": "tell no one"', 'the file is not JSON.'],
    ['no list', {}, 'the list must be array.'],
    [
      'fields that are missing, unknown or of another type',
      [
        { id: 'A b', kind: 'facebook', secret: 'tell no one' },
        { ...google, scopes: 'tell no one' },
      ],
      "provider 1 must have required property 'clientId'.",
      'provider 1 must NOT have additional properties (secret).',
      'provider 1, id must match pattern "^[a-z0-9][a-z0-9-]{0,31}$".',
      'provider 1, kind must be equal to one of the allowed values (google, microsoft, github, gitlab, keycloak, openid, janua).',
      'provider 2, scopes must be array.',
    ],
    [
      'what the kinds do not go with',
      [
        { ...google, issuer: 'https://accounts.google.com', tenant: 'common' },
        { ...google, kind: 'microsoft' },
        { ...google, id: 'o', kind: 'openid', trustedDomains: ['tell no one'] },
        { ...google, id: 'p', kind: 'openid', issuer: 'http://id.example', clientSecretFile: '/nowhere' },
        { id: 'q', kind: 'google', clientId: 'c', clientSecretFile: '/nowhere' },
        { id: 'r', kind: 'google', clientId: 'c' },
      ],
      'provider 1, issuer does not belong to the kind google.',
      'provider 1, tenant does not belong to the kind google.',
      'provider 2, tenant is missing.',
      'provider 2, id is there twice.',
      'provider 3, issuer must be an https address without query.',
      'provider 3, trustedDomains must be domains, such as example.com, or *.',
      'provider 4, issuer must be an https address without query.',
      'provider 4, there must be either clientSecret or clientSecretFile.',
      'provider 5, clientSecretFile cannot be read, or is empty.',
      'provider 6, there must be either clientSecret or clientSecretFile.',
    ],
  ] as [string, unknown, ...string[]][])
    test(`is told with all others, and without what the file says: ${name}`, () => {
      const found = faultsIn(content);
      assert.deepEqual(
        found,
        faults.map((fault) => `UPSTREAMS_FILE: ${fault}`),
      );
      assert.doesNotMatch(found.join(), /tell no one/);
    });

  test('is told with those of the other settings', () => {
    const environment = { UPSTREAMS_FILE: '/nowhere/upstreams.json', PORT: 'x' };
    const faults = faultsOf(() => loadSettings({}, environment)).map(({ message }) => message);
    assert.deepEqual(faults, [
      'PORT must be a whole number from 0 to 65535.',
      'UPSTREAMS_FILE: the file cannot be read.',
    ]);
  });
});
