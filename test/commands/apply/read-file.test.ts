import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAppliedFile } from '../../../src/commands/apply/read-file.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';

const many = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, at) => line(at)).join('\n');

/** Each level repeats the one before nine times. */
const bomb = ['name: x', 'a: &a [x, x, x, x, x, x, x, x, x]']
  .concat([...'bcdefghij'].map((key, at) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(', ')}]`))
  .join('\n');

const inClient = (text: string) => `name: x\nclients: [{client_id: wiki, ${text}}]`;

const refused: [what: string, text: string | Buffer, message: RegExp][] = [
  ['nothing', '', /the file must be object/],
  ['no name', 'groups: []', /the file must have required property 'name'/],
  ['a number where a text belongs', 'name: 1', /name must be string/],
  ['an unknown key', 'name: x\nupstreams: []', /the file must NOT have additional properties \(upstreams\)/],
  ['the name of a prototype', 'name: x\n__proto__: {prune: true}', /additional properties \(__proto__\)/],
  ['a key twice', 'name: x\ngroups: []\ngroups: []', /line 3, column 1: the key is there twice/],
  ['a key twice in JSON', '{"name": "x", "name": "y"}', /line 1, column 15: the key is there twice/],
  ['a key that is a list', '? [a]\n: b', /line 1, column 3: a key must be a text/],
  ['an object twice', 'name: x\ngroups: [{name: a}, {name: a}]', /groups has a twice/],
  [
    'a user twice',
    'name: x\nusers: [{username: a@example.com}, {username: A@example.com}]',
    /users has a@example.com twice/,
  ],
  ['several documents', 'name: x\n---\nname: y', /line 2, column 1: .*multiple documents/],
  ['a tag of another language', 'name: !!js/function x', /line 1, column 7: Unresolved tag/],
  ['lists of lists', '['.repeat(200_000), /it is nested too deeply/],
  ['aliases of aliases', bomb, /an alias has no anchor, or the file has more than 100 of them/],
  ['an alias of nothing', 'name: x\ngroups: *a', /an alias has no anchor/],
  ['a list that contains itself', 'name: x\ngroups: &a [*a]', /groups, entry 1 must be object/],
  ['very many keys', many(60_000, (at) => `k${at}: 1`), /additional properties \(k0\)/],
  [
    'very many entries',
    `name: x\ngroups:\n${many(501, (at) => `  - {name: g${at}}`)}`,
    /groups must NOT have more than 500 items/,
  ],
  ['a megabyte', `name: x\n${'#'.repeat(1_000_000)}`, /the file has more than 1,000,000 bytes/],
  ['bytes that are no text', Buffer.from([0x6e, 0xff]), /the file is not UTF-8/],
  ['U+0000', inClient('name: "a\\0"'), /clients, entry 1, name must be one line of plain text/],
  [
    'a text that reverses the line',
    inClient('name: "a\u202eb"'),
    /clients, entry 1, name must be one line of plain text/,
  ],
  ['a field that the API refuses', inClient('pkce: none'), /clients, entry 1 \(wiki\): pkce: /],
  ['a list that the API refuses', inClient('may: [everything]'), /clients, entry 1 \(wiki\): may: /],
  [
    'a secret in the file',
    inClient('client_secret: abc'),
    /clients, entry 1 must NOT have additional properties \(client_secret\)/,
  ],
  ['a secret from a device', inClient('secret_file: /dev/zero'), /secret_file must name a file that there is/],
  ['a secret from nowhere', inClient('secret_file: nowhere'), /secret_file must name a file that there is/],
];

for (const [what, text, message] of refused)
  test(`a file with ${what} is refused with the place`, (t) => {
    const folder = createTemporaryFolder('apply');
    t.after(folder.remove);
    const path = join(folder.path, 'janua.yaml');
    writeFileSync(path, text);
    assert.throws(
      () => readAppliedFile(path),
      (error) => error instanceof Misconfiguration && error.lines.length <= 20 && message.test(error.message),
    );
  });

test('a file that is not there is named', () => {
  assert.throws(
    () => readAppliedFile('/nowhere/janua.yaml'),
    /\/nowhere\/janua\.yaml: the file cannot be read \(ENOENT\)/,
  );
});

test('versions are told apart, also by their secrets', (t) => {
  const folder = createTemporaryFolder('apply');
  t.after(folder.remove);
  const versionOf = (text: string, secret: string) => {
    writeFileSync(join(folder.path, 'secret'), secret);
    writeFileSync(join(folder.path, 'janua.yaml'), text);
    return readAppliedFile(join(folder.path, 'janua.yaml')).version;
  };
  const [one, other] = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210'] as const;
  const text = inClient('secret_file: secret');
  assert.equal(versionOf(text, one), versionOf(text, one));
  assert.equal(new Set([versionOf(text, one), versionOf(text, other), versionOf(`${text} # new`, one)]).size, 3);
});
