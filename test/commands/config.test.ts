import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { settingSchemas } from '../../src/ground/config/settings.ts';
import { createWorkplace } from './janua-command.ts';

/** Nothing listens there, and the command must not connect. */
const stores = {
  DATABASE_URL: 'postgres://janua:canary%40x@127.0.0.1:1/auth?sslpassword=canary',
  REDIS_URL: 'redis+cluster://janua:canary@127.0.0.1:1,127.0.0.1:2',
};

test('janua config prints every setting with its source, shows no password, and opens nothing', async () => {
  await using workplace = await createWorkplace();
  const file = join(workplace.folder, 'secret');
  await writeFile(file, stores.REDIS_URL);
  const env = {
    DATABASE_URL: stores.DATABASE_URL,
    REDIS_URL_FILE: file,
    CORS_ORIGINS: 'https://a.example, https://b.example',
    APP_NAME: 'A \u001b[31mB',
  };
  const { code, stdout, stderr } = await workplace.run(['config'], { env });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stdout + stderr, /canary/);
  assert.match(stdout, /^APP_NAME +A \uFFFD\[31mB +environment$/m);
  assert.match(stdout, /^SETTING +VALUE +FROM$/m);
  for (const name of Object.keys(settingSchemas)) assert.match(stdout, new RegExp(`^${name} `, 'm'));
  assert.match(stdout, /^PORT +5000 +default$/m);
  assert.match(stdout, /^PUBLIC_URL +default$/m);
  assert.match(stdout, /^DATABASE_URL +postgres:\/\/127\.0\.0\.1:1\/auth +environment$/m);
  assert.match(stdout, /^REDIS_URL +redis\+cluster:\/\/127\.0\.0\.1:1,127\.0\.0\.1:2 +file$/m);
  assert.match(stdout, /^CORS_ORIGINS +https:\/\/a\.example, https:\/\/b\.example +environment$/m);
  assert.deepEqual(await readdir(workplace.folder), ['secret']);
});

test('janua config --json prints one object a line, with unformatted values', async () => {
  await using workplace = await createWorkplace();
  const { stdout } = await workplace.run(['config', '--json'], { env: { ...stores, PORT: '8080' } });
  assert.doesNotMatch(stdout, /canary/);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, Object.keys(settingSchemas).length);
  const of = (name: string) => lines.find(({ setting }) => setting === name);
  assert.deepEqual(of('PORT'), { setting: 'PORT', value: 8080, from: 'environment' });
  assert.deepEqual(of('PUBLIC_URL'), { setting: 'PUBLIC_URL', value: null, from: 'default' });
  assert.deepEqual(of('CORS_ORIGINS'), { setting: 'CORS_ORIGINS', value: [], from: 'default' });
});

test('janua config names all wrong settings at once, as `janua serve` does', async () => {
  await using workplace = await createWorkplace();
  for (const [env, count] of [
    [{ PORT: 'canary', DOCS: 'canary', CORS_ORIGINS: 'https://u:canary@x' }, 3],
    [{ HOST: '0.0.0.0' }, 2],
    [{ DATABASE_URL: 'oracle://me:canary@db/x', REDIS_URL: 'http://:canary@x', USERS_TABLE: 'people' }, 3],
  ] as const) {
    const { code, stdout, stderr } = await workplace.run(['config'], { env: env as Record<string, string> });
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.equal(stderr.trim().split('\n').length, count, stderr);
    assert.doesNotMatch(stderr, /canary/);
  }
});
