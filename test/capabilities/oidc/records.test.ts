import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecords, Spent } from '../../../src/capabilities/oidc/records.ts';
import { openMigrated } from '../../ground/database/open.ts';

// Shows: VM-89
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
