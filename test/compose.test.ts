import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../src/compose.ts';
import { loadSettings } from '../src/config/load.ts';
import { Misconfiguration } from '../src/misconfiguration.ts';
import { ann, password, startJanua } from './janua.ts';

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  for (const rehash of ['on', 'off'] as const) {
    test(`a weak hash in a table of their own in ${users}, with PASSWORD_REHASH=${rehash}`, async () => {
      const stores = { users, sessions: 'SQL', ownTable: true } as const;
      await using janua = await startJanua({ stores, settings: { PASSWORD_REHASH: rehash } });
      const { identity, users: directory } = janua.services;
      const stored = async () => (await directory.findByUsername(ann.username))?.passwordHash ?? '';
      const before = await stored();
      assert.match(before, /^\$2b\$04\$/);
      const { session } = await identity.logIn({ username: ann.username, password, presented: {} });
      if (rehash === 'on') assert.match(await stored(), /^\$argon2id\$/);
      else assert.equal(await stored(), before);
      assert.ok(await identity.findUser({ cookie: session.cookie }));
      assert.ok(await identity.logIn({ username: ann.username, password, presented: {} }));
    });
  }
}

test('users of a table of their own are not changed by commands', async () => {
  await using janua = await startJanua({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
  const { administration } = janua.services;
  for (const change of ['setPassword', 'disable', 'enable', 'remove'] as const)
    await assert.rejects(
      administration[change](ann.username, password),
      /a table of your own, which is only read here/,
    );
  await assert.rejects(administration.add({ ...ann, password }), /a table of your own/);
  const listed = await Array.fromAsync(administration.list());
  assert.deepEqual(
    listed.map(({ username, disabled, createdAt }) => [username, disabled, createdAt]),
    [[ann.username, false, undefined]],
  );
});

for (const [name, settings, line] of [
  ['a table without its columns', { USERS_TABLE: 'people' }, /USERS_TABLE and USERS_COLUMNS go together/],
  ['an address of no database', { DATABASE_URL: 'oracle://x/y' }, /^DATABASE_URL must be/],
  ['a server without its slashes', { DATABASE_URL: 'postgres:x' }, /^DATABASE_URL must be/],
  ['a server without a database', { DATABASE_URL: 'mysql://root@localhost' }, /^DATABASE_URL must be mysql:\/\//],
  ['an option that MySQL has not', { DATABASE_URL: 'mysql://a:canary@b/c?tls=1' }, /^DATABASE_URL must be mysql:\/\//],
  ['an address of no Redis', { REDIS_URL: 'http://:canary@x' }, /^REDIS_URL must be/],
] as const) {
  test(`${name} is refused at once`, async () => {
    const all = { ...loadSettings({}, {}), DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent', ...settings } as const;
    await assert.rejects(compose(all), (error) => {
      assert.ok(error instanceof Misconfiguration);
      assert.match(error.message, line);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  });
}
