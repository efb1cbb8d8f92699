import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createKeyFile, openEncryptionKeys } from '../../../src/ground/encryption/key-file.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';

const { path: folder } = createTemporaryFolder('encryption-key');
let count = 0;
const newPath = () => {
  count += 1;
  return join(folder, `${count}.encryption-key`);
};

describe('the file with the encryption key', () => {
  test('is made with mode 0600, and only when asked for', () => {
    const path = newPath();
    const keys = createKeyFile(path);
    assert.deepEqual(keys.read(), []);
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
    keys.create();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(readFileSync(path, 'utf8'), /^[\w-]{43}\n$/);
    const [key] = keys.read();
    assert.equal(key?.length, 32);
    keys.create();
    assert.deepEqual(keys.read(), [key]);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith('.part')),
      [],
    );
  });

  test('keeps the key before the last rotation, for all processes at once', () => {
    const path = newPath();
    const [one, other] = [createKeyFile(path), createKeyFile(path)];
    one.create();
    const [first] = one.read();
    one.rotate();
    const [second, before, ...more] = other.read();
    assert.deepEqual([before, more], [first, []]);
    other.rotate();
    assert.deepEqual(one.read().slice(1), [second]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  test('is the same for processes that make it at the same time', async () => {
    const path = newPath();
    const code = `const { createKeyFile } = await import(${JSON.stringify(new URL('../../../src/ground/encryption/key-file.ts', import.meta.url).href)});
      const keys = createKeyFile(process.argv[1]);
      while (Date.now() < Number(process.argv[2]));
      keys.create();
      console.log(keys.read()[0].toString('hex'));`;
    const start = String(Date.now() + 1500);
    const args = ['--input-type=module', '-e', code, path, start];
    const runs = Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, args));
    const printed = (await Promise.all(runs)).map(({ stdout }) => stdout);
    assert.equal(new Set(printed).size, 1, printed.join(''));
    assert.match(printed[0] ?? '', /^[\da-f]{64}\n$/);
  });

  test('is refused if it is a link or no file, if others may use it, or if it has no key', () => {
    const good = newPath();
    createKeyFile(good).create();
    const refused = (expected: RegExp, spoil: (path: string) => void) => {
      const path = newPath();
      spoil(path);
      for (const work of [() => createKeyFile(path).read(), () => createKeyFile(path).rotate()])
        assert.throws(work, (error) => {
          assert.ok(error instanceof Misconfiguration);
          assert.match(error.message, expected);
          assert.ok(error.message.includes(path));
          return true;
        });
    };
    refused(/symbolic link/, (path) => symlinkSync(good, path));
    refused(/symbolic link/, (path) => symlinkSync(join(folder, 'nowhere'), path));
    refused(/or no file/, (path) => mkdirSync(path));
    for (const mode of [0o604, 0o602, 0o620, 0o644])
      refused(/Other accounts .* Run: chmod 600 \/\S+$/, (path) => {
        writeFileSync(path, readFileSync(good));
        chmodSync(path, mode);
      });
    for (const text of ['', 'short\n', `${'a'.repeat(43)} \n`, `${'a'.repeat(44)}\n`, `${'a'.repeat(43)}\nshort\n`])
      refused(/does not have a key of 256 bits/, (path) => writeFileSync(path, text, { mode: 0o600 }));
  });

  test('may be readable by a group, and end without a line break', () => {
    const path = newPath();
    writeFileSync(path, 'a'.repeat(43), { mode: 0o640 });
    assert.equal(createKeyFile(path).read().length, 1);
  });

  test('that cannot be written is a fault of the setting, without its value', () => {
    const keys = createKeyFile(join(folder, 'missing', 'key'));
    assert.deepEqual(keys.read(), []);
    assert.throws(
      () => keys.create(),
      /^Misconfiguration: The file .* cannot be written \(ENOENT\)\. Check ENCRYPTION_KEY/,
    );
  });

  test('is required with a database server, and beside the file with SQLite', () => {
    const server = { DATABASE_URL: 'postgres://janua@localhost/janua' };
    const keys = openEncryptionKeys(server);
    for (const work of [keys.read, keys.create, keys.rotate])
      assert.throws(work, /^Misconfiguration: ENCRYPTION_KEY_FILE must be set/);
    const [own, beside] = [newPath(), join(folder, 'data.encryption-key')];
    const sqlite = { DATABASE_URL: `sqlite:${join(folder, 'data.db')}` };
    for (const [settings, path] of [
      [{ ...server, ENCRYPTION_KEY_FILE: own }, own],
      [{ ...sqlite, ENCRYPTION_KEY_FILE: own }, own],
      [sqlite, beside],
      [{ DATABASE_URL: `sqlite:${join(folder, 'data')}` }, beside],
    ] as const) {
      openEncryptionKeys(settings).create();
      assert.deepEqual(openEncryptionKeys(settings).read(), createKeyFile(path).read());
    }
    assert.equal(createKeyFile(own).read().length, 1);
    assert.notDeepEqual(createKeyFile(own).read(), createKeyFile(beside).read());
  });

  test('is not needed for a database in memory', () => {
    const keys = openEncryptionKeys({ DATABASE_URL: 'sqlite::memory:' });
    assert.deepEqual(keys.read(), []);
    keys.create();
    keys.create();
    assert.equal(keys.read().length, 1);
    assert.deepEqual(openEncryptionKeys({ DATABASE_URL: 'sqlite::memory:' }).read(), []);
  });
});
