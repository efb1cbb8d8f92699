import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { square } from '../capabilities/oidc/pictures/files.ts';
import { openApply } from './apply/apply-host.ts';

const redirect = ['--redirect-uri', 'https://wiki.example.com/callback'];
const fileOf = (picture: string) => `name: site
clients:
  - client_id: wiki
    name: Wiki
    redirect_uris: [https://wiki.example.com/callback]
    picture_file: ${picture}
`;

test('a command gives a client a picture, refuses a file that is none, and takes the picture away', async () => {
  await using server = await openApply('SQLite');
  const { run, workplace } = server;
  const { client_id: id } = JSON.parse((await run(['clients', 'add', '--name', 'Wiki', ...redirect, '--json'])).stdout);
  writeFileSync(join(workplace.folder, 'wiki.png'), square(8));
  await server.write('wiki.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>');
  const pictureNow = async () => JSON.parse((await run(['clients', 'show', id, '--json'])).stdout).picture;
  for (const [args, code, text, picture] of [
    [['--picture', 'wiki.png'], 0, /^Changed Wiki\.$/m, /^\/oidc\/pictures\/[\w-]{43}$/],
    [['--picture', 'wiki.svg'], 2, /--picture: This file is not a PNG or WebP picture/, /./],
    [['--picture', 'missing.png'], 1, /The file missing\.png cannot be read/, /./],
    [['--name', 'Notes'], 0, /Changed Notes/, /./],
    [['--no-picture'], 0, /Changed Notes/, /^null$/],
  ] as const) {
    const answer = await run(['clients', 'set', id, ...args]);
    assert.match(answer.text, text);
    assert.equal(answer.code === 0, code === 0, answer.text);
    assert.match(String(await pictureNow()), picture);
  }
});

test('a file of apply has the picture of a client, and an export brings it to another server', async () => {
  await using server = await openApply('SQLite');
  await using other = await openApply('SQLite');
  const { apply, run, workplace } = server;
  const picture = join(workplace.folder, 'wiki.png');
  writeFileSync(picture, square(8, 1));
  const added = await apply(fileOf('wiki.png'));
  assert.equal(added.code, 0, added.text);
  assert.match((await apply(fileOf('wiki.png'))).text, /No changes\./);
  writeFileSync(picture, square(8, 2));
  assert.match((await apply(fileOf('wiki.png'))).text, /~ client wiki\n +picture_file: /);
  for (const [name, fault] of [
    ['janua.yaml', /picture: This file is not a PNG or WebP picture/],
    ['missing.png', /picture_file must name a file that there is/],
  ] as const)
    assert.match((await apply(fileOf(name))).text, fault);

  const without = await run(['export', '--apply']);
  assert.match(without.text, /Left out: the pictures of 1 clients/);
  assert.doesNotMatch(without.stdout, /picture/);
  const folder = join(other.workplace.folder, 'pictures');
  const exported = await run(['export', '--apply', '--pictures', folder]);
  assert.match(exported.stdout, /picture_file: .*\/pictures\/wiki\.png/);
  assert.deepEqual(readFileSync(join(folder, 'wiki.png')), square(8, 2));
  assert.equal((await other.apply(exported.stdout)).code, 0);
  assert.equal((await other.run(['export', '--apply', '--pictures', folder])).stdout, exported.stdout);

  assert.match((await apply(fileOf("''"))).text, /~ client wiki/);
  assert.doesNotMatch((await run(['export', '--apply', '--pictures', folder])).stdout, /picture/);
});
