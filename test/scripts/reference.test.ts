import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { docs, makePages } from '../../scripts/reference.ts';
import { parseMapping } from '../../src/core/users/source/mapping.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { type SettingSchema, settingGroups, settingSchemas } from '../../src/ground/config/settings.ts';
import { engineOf } from '../../src/ground/database/database.ts';
import { faultsOf } from '../../src/ground/faults/misconfiguration.ts';
import { parseRedisUrl } from '../../src/ground/redis/redis-url.ts';

const settings = Object.entries<SettingSchema>(settingSchemas);

test('the pages that code prints are up to date, and name every setting', async () => {
  const pages = await makePages();
  for (const [path, text] of Object.entries(pages))
    assert.ok(
      (await readFile(new URL(path, docs), 'utf8')) === text,
      `docs/${path} is out of date; run: npm run reference`,
    );
  for (const [name] of settings) assert.ok(pages['configuration.md']?.includes(`| \`${name}\` |`), name);
  assert.doesNotMatch(pages['reference/events.md'] ?? '', /\| {2}\|/, 'a field of an event has no meaning');
  assert.ok(settings[0]?.[0] !== undefined && settings[0][0] in settingGroups, 'the first setting begins a group');
});

test('every example of a setting is valid, and differs from the default', () => {
  // Some examples are only valid together with these settings.
  const others = {
    PUBLIC_URL: 'https://auth.example.com',
    TRUSTED_PROXIES: '127.0.0.1',
    FORWARD_AUTH_ORIGINS: 'https://app.example.com, https://wiki.example.com',
    MAIL_URL: 'smtps://mail.example.com',
    MAIL_FROM: 'no-reply@example.com',
  };
  for (const [name, { type, examples = [], default: usual }] of settings) {
    assert.ok(examples.length > 0 || !['string', 'array'].includes(type ?? ''), name);
    for (const example of examples) {
      assert.notEqual(example, usual, name);
      const faults = faultsOf(() => loadSettings({}, { ...others, [name]: example }));
      // The files exist only on another machine.
      assert.deepEqual(
        faults.filter((fault) => !/^(?:THEME|UPSTREAMS)_FILE: the file cannot be read\.$/.test(fault.message)),
        [],
      );
    }
  }
  const { DATABASE_URL, REDIS_URL, USERS_TABLE, USERS_COLUMNS } = settingSchemas;
  DATABASE_URL.examples.map(engineOf);
  REDIS_URL.examples.map(parseRedisUrl);
  assert.ok(parseMapping(USERS_TABLE.examples[0], USERS_COLUMNS.examples[0]));
});
