import type { Admitted, LoginRequest } from '../../core/access/admit.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { type Account, passwordFingerprint } from '../../core/users/account.ts';
import type { FactorCore } from './events.ts';
import type { Factors } from './factors.ts';
import { type Passkey, passkeyMethods } from './passkeys.ts';
import { passkeyRefused, passkeyUnknown } from './refusals.ts';

export interface PasskeyLogin extends LoginRequest {
  readonly credential: unknown;
  readonly remembered: boolean;
}

/** Logs in by a passkey, which identifies its user. The user types no name. */
export function createLogInByPasskey(
  { users, admit, knownBrowsers, audit }: FactorCore,
  { passkeys, bindingOf }: Factors,
) {
  const isThere = async ({ id }: Passkey, { user }: Account): Promise<boolean> =>
    (await passkeys.list(user)).some((one) => one.id === id);

  async function check({ credential, headers }: PasskeyLogin) {
    const failed = (reason: string, userId?: string) => ({ succeeded: false, reason, userId }) as const;
    const passkey = await passkeys.prove(credential, bindingOf('sign-in', headers));
    if (typeof passkey === 'string') return failed(passkey);
    const { userId } = passkey;
    const account = await users.findById(userId);
    if (account === undefined) return failed('void-passkey');
    // If the passkey was removed just before the account was read, the account already has its new stamp. `admit` would then notice no
    // change, so the passkey is looked up again.
    if (!(await isThere(passkey, account))) return failed('changed-meanwhile', userId);
    return account.disabled ? failed('disabled-user', userId) : ({ succeeded: true, account, passkey } as const);
  }

  /** A passkey cannot be guessed, so tries are not counted. @throws {Refusal} `passkey-refused`, `passkey-unknown` */
  return async (login: PasskeyLogin, caller: Caller): Promise<Admitted> => {
    async function refuse(reason: string, userId?: string): Promise<never> {
      await audit.recordIfPossible({ kind: 'passkey-refused', reason, caller, userId });
      throw new Refusal(reason === 'unknown-passkey' ? passkeyUnknown : passkeyRefused);
    }
    const result = await check(login);
    if (!result.succeeded) return refuse(result.reason, result.userId);
    const { account, passkey } = result;
    /** The proof holds while the account has the passkey. A new password, for example, does not void it. */
    const stillHolds = (current: Account) => isThere(passkey, current);
    const proof = { account, methods: passkeyMethods(passkey), stillHolds };
    const knownBrowser = knownBrowsers.find(passwordFingerprint(account), login.headers.cookie) !== undefined;
    const admitted = await admit(proof, { ...login, caller, event: { reason: 'passkey', knownBrowser } });
    return admitted ?? refuse('changed-meanwhile', account.user.id);
  };
}
