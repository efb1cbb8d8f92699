import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { keyNames } from '../../src/database/keys.ts';
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
  assert.equal(stderr, 'There is no key "session": browser-cookie, audit-names, forward-auth.\n');
});

test('janua keys rotate reports missing tables', async () => {
  await using workplace = await createMigratedWorkplace();
  const env = { DATABASE_URL: 'sqlite:./other.db' };
  const { code, stderr } = await workplace.run(['keys', 'rotate', 'browser-cookie'], { env });
  assert.equal(code, 2);
  assert.match(stderr, /^DATABASE_URL: there is no such file yet/);
});
