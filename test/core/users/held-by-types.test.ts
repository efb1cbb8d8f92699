import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIdentities } from '../../../src/capabilities/upstream/identities.ts';
import { createPersonalTokens } from '../../../src/core/access/personal-tokens.ts';
import type { Held } from '../../../src/core/users/held.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { ann, startJanua } from '../../janua.ts';

test('the compiler refuses to store what lasts for an account that is not locked', async () => {
  await using janua = await startJanua();
  await using opened = await openMigrated();
  const { users, factors, groups, registry } = janua.services;
  const account = (await users.findByUsername(ann.username)) ?? assert.fail();
  const { user } = account;
  const tokens = createPersonalTokens(opened, { now: Date.now, accounts: users.accounts });
  const identities = createIdentities(opened.database, Date.now);
  const token = { name: 'report', scopes: [], days: 1 };
  const identity = { upstream: 'google', issuer: 'https://a.example', subject: '1', name: 'a' };
  const forged = { account, user, db: opened.database };
  // Each line must be an error: with none, `npm test` fails at the step Types.
  const refused: readonly (() => unknown)[] = [
    // @ts-expect-error: no one but `createHold` makes a `Held`
    (): Held => forged,
    // @ts-expect-error: a user is not locked
    () => tokens.create(user, token),
    // @ts-expect-error: nor is what looks like it
    () => tokens.create(forged, token),
    // @ts-expect-error: an app wants a locked account
    () => factors.totp.enable(forged, '123456'),
    // @ts-expect-error: a passkey wants a locked account
    () => factors.passkeys.add(forged, {} as never),
    // @ts-expect-error: recovery codes want a locked account
    () => factors.recoveryCodes.replace(forged),
    // @ts-expect-error: a linked identity wants a locked account
    () => identities.add(identity, forged),
    // @ts-expect-error: a password wants a locked account
    () => registry?.setPassword(account, 'hash'),
    // @ts-expect-error: groups want a locked account
    () => groups.setGroupsOf(user, () => []),
  ];
  assert.equal(refused.length, 9);
});
