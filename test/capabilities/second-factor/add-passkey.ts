import assert from 'node:assert/strict';
import type { Account } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import type { TestJanua } from '../../janua.ts';
import type { createAuthenticator } from './authenticator.ts';

/** Adds a passkey of an authenticator to an account, as its owner. */
export async function addPasskey(
  { factors: { passkeys }, hold }: Pick<TestJanua['services'], 'factors' | 'hold'>,
  account: Account,
  authenticator: ReturnType<typeof createAuthenticator>,
) {
  assert.ok(passkeys);
  const enrolment = { purpose: 'enrol:1', cookie: 'a' };
  const sent = authenticator.create(await passkeys.creationOptions(account.user, enrolment));
  const made = (await passkeys.verifyRegistration(sent, enrolment)) ?? assert.fail();
  const added = await hold(provedBy(account), (held) => passkeys.add(held, made));
  assert.ok(added);
  return added;
}
