import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Spent } from '../../../src/capabilities/oidc/kept-records.ts';
import { createRecords } from '../../../src/capabilities/oidc/records.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openMigrated } from '../../ground/database/open.ts';

test('a code is taken once, and taking it again revokes its grant', async () => {
  await using opened = await openMigrated();
  const { of } = createRecords(opened, {
    now: Date.now,
    key: Buffer.alloc(32),
    userIdOf: async () => 'ann',
    findAccount: async () => undefined,
    isAlive: async () => true,
  });
  await of('Grant').upsert('grant', { accountId: 'subject', clientId: 'wiki' }, 60);
  await of('AuthorizationCode').upsert('code', { grantId: 'grant', clientId: 'wiki' }, 60);
  await of('AuthorizationCode').consume('code');
  assert.ok(await of('Grant').find('grant'));
  await assert.rejects(of('AuthorizationCode').consume('code'), Spent);
  assert.equal(await of('Grant').find('grant'), undefined);
});

test('a client that is removed leaves nothing behind, however much it holds, and others keep theirs', async () => {
  await using opened = await openMigrated();
  const { database } = opened;
  const { of, revokeClient } = createRecords(opened, {
    now: Date.now,
    key: Buffer.alloc(32),
    userIdOf: async () => 'ann',
    findAccount: async () => undefined,
    isAlive: async () => true,
  });
  for (let index = 0; index < 1_001; index++)
    await of('Grant').upsert(`grant-${index}`, { accountId: 'subject', clientId: 'wiki' }, 60);
  await of('Grant').upsert('other', { accountId: 'subject', clientId: 'notes' }, 60);
  await revokeClient('wiki');
  const left = await database.selectFrom('janua_oidc_records').select('client_id').execute();
  assert.deepEqual(left, [{ client_id: 'notes' }]);
});

test('what a sweep and the removal of a client look for is found by an index', async () => {
  await using opened = await openMigrated();
  for (const query of [
    sql`select id from janua_oidc_records where client_id = 'wiki' limit 500`,
    sql`select id from janua_consents where client_id = 'wiki' limit 500`,
    sql`select distinct session_id from janua_logout_notices where due_at is null and session_id > 'a' order by session_id limit 500`,
  ]) {
    const { rows } = await sql<{ detail: string }>`explain query plan ${query}`.execute(opened.database);
    const plan = rows.map(({ detail }) => detail).join('; ');
    assert.match(plan, /^SEARCH \w+ USING (?:COVERING )?INDEX/);
    assert.doesNotMatch(plan, /TEMP B-TREE/, 'nothing is sorted');
  }
});
