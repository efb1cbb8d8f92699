import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { keyNames } from '../../src/ground/database/keys.ts';
import { decrypt, encrypt } from '../../src/ground/encryption/cipher.ts';
import { createMigratedWorkplace } from './janua-command.ts';

test('janua keys rotate replaces one key and says what ends with it', async () => {
  await using workplace = await createMigratedWorkplace();
  const database = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'), { readOnly: true });
  const read = () =>
    Object.fromEntries(database.prepare('select name, value from janua_keys').all().map(Object.values)) as Record<
      string,
      string
    >;
  for (const name of keyNames) {
    const before = read();
    const { code, stdout } = await workplace.run(['keys', 'rotate', name]);
    assert.equal(code, 0);
    assert.match(stdout, /^There is a new key\. Restart every process: from then on .*\.\n$/);
    const after = read();
    assert.notEqual(after[name], before[name]);
    assert.equal(Buffer.from(after[name] ?? '', 'base64url').length, 32);
    assert.deepEqual({ ...after, [name]: '' }, { ...before, [name]: '' });
    assert.ok(!stdout.includes(after[name] ?? ''));
    const { stdout: events } = await workplace.run(['audit', '--kind', 'key-replaced', '--limit', '1', '--json']);
    assert.match(events, new RegExp(`"route":"janua keys rotate".*"reason":"${name}"`));
  }
  database.close();
  const { code, stderr } = await workplace.run(['keys', 'rotate', 'session']);
  assert.equal(code, 2);
  assert.equal(
    stderr,
    'There is no key "session": browser-cookie, audit-names, forward-auth, ceremonies, applications, encryption, signing.\n',
  );
});

test('janua keys rotate reports missing tables', async () => {
  await using workplace = await createMigratedWorkplace();
  const env = { DATABASE_URL: 'sqlite:./other.db' };
  const { code, stderr } = await workplace.run(['keys', 'rotate', 'browser-cookie'], { env });
  assert.equal(code, 2);
  assert.match(stderr, /^DATABASE_URL: there is no such file yet/);
});

test('janua keys rotate encryption replaces the key in its file, beside the database', async () => {
  await using workplace = await createMigratedWorkplace();
  const file = join(workplace.folder, 'data', 'janua.encryption-key');
  assert.equal(existsSync(file), false, 'the key is made when it is first needed');
  const rotate = () => workplace.run(['keys', 'rotate', 'encryption']);
  const { code, stdout } = await rotate();
  assert.deepEqual([code, stdout], [0, 'There is a new key. Secrets that are encrypted with it: 0.\n']);
  const [first = ''] = readFileSync(file, 'utf8').split('\n');
  assert.ok(!stdout.includes(first));
  const database = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'));
  const insert = database.prepare(`insert into janua_totp values (?, 'ann', ?, 0, 0, null)`);
  const secret = Buffer.from('a secret');
  insert.run('active:ann', encrypt(Buffer.from(first, 'base64url'), secret, 'janua_totp active:ann'));
  insert.run('active:bob', encrypt(randomBytes(32), secret, 'janua_totp active:bob'));
  const again = await rotate();
  assert.equal(
    again.stdout,
    'There is a new key. Secrets that are encrypted with it: 1.\n' +
      'Secrets that cannot be decrypted, because their key is not in the file: 1. Their users need another factor. ' +
      'If applications sign their users in here, run: ./bin/janua keys rotate signing\n',
  );
  const [second = '', before] = readFileSync(file, 'utf8').split('\n');
  assert.equal(before, first);
  const stored = database.prepare(`select secret from janua_totp where id = 'active:ann'`).get()?.secret;
  database.close();
  assert.deepEqual(decrypt([Buffer.from(second, 'base64url')], String(stored), 'janua_totp active:ann'), secret);
  const { stdout: events } = await workplace.run(['audit', '--kind', 'key-replaced', '--json']);
  assert.equal(events.match(/"reason":"encryption"/g)?.length, 2);
  chmodSync(file, 0o644);
  const refused = await rotate();
  assert.equal(refused.code, 2);
  assert.equal(
    refused.stderr,
    `Other accounts of this machine may use the file with the encryption key. Run: chmod 600 ${file}\n`,
  );
});

test('janua keys rotate signing makes new keys, and keeps the old ones for a day', async () => {
  await using workplace = await createMigratedWorkplace();
  const rotate = () => workplace.run(['keys', 'rotate', 'signing']);
  const { code, stdout } = await rotate();
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^There are new keys\. Every running server signs with them within three minutes\. .* for a day\.\n$/,
  );
  await rotate();
  const database = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'), { readOnly: true });
  const all = database.prepare('select id, retired_at from janua_signing_keys').all();
  database.close();
  assert.deepEqual([all.length, all.filter(({ retired_at }) => retired_at === null).length], [4, 2]);
  const { stdout: events } = await workplace.run(['audit', '--kind', 'key-replaced', '--json']);
  assert.equal(events.match(/"reason":"signing"/g)?.length, 2);
  rmSync(join(workplace.folder, 'data', 'janua.encryption-key'));
  const refused = await rotate();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^Encryption is unavailable: The encryption key is missing/);
});
