import type { Presented } from '../access/access.ts';
import type { Admit, Admitted } from '../access/admit.ts';
import { type Answer, loginMessages, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller, KeyTrace } from '../audit/event.ts';
import type { Throttled } from '../throttle/throttle.ts';
import type { Account } from '../users/account.ts';
import type { User } from '../users/user.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { FactorOwner } from './owner.ts';
import type { passkeyEvents } from './passkey-events.ts';
import type { StoredPasskey } from './passkey-store.ts';
import { isSameOwner, type Passkeys, passkeyMethods } from './passkeys.ts';

export const passkeyRefused: Answer = {
  name: 'passkey-refused',
  status: 400,
  error: 'invalid_grant',
  detail: 'This passkey cannot be used here',
  loginPage: { message: loginMessages.passkeyRefused, next: 'sent' },
};

/** For a browser, which can then forget the passkey. The page must answer the request itself: anyone could link to a page that says so. */
export const passkeyUnknown: Answer = {
  ...passkeyRefused,
  name: 'passkey-unknown',
  detail: 'There is no such passkey',
  loginPage: { message: loginMessages.passkeyUnknown, next: 'sent', inPlace: true },
};

export const tooManyPasskeys: Answer = {
  name: 'too-many-passkeys',
  status: 429,
  error: 'temporarily_unavailable',
  detail: 'Too many attempts',
  loginPage: { message: loginMessages.throttled, next: 'sent', inPlace: true },
};

/** Runs a check that counts as failed by the address of its caller, until it succeeds. */
export type AttemptByAddress = <T extends { readonly succeeded: boolean }>(
  caller: Caller,
  check: () => Promise<T>,
) => Promise<Throttled<T, KeyTrace['kind']>>;

export interface PasskeyLogin {
  /** As the browser sent it. */
  readonly credential: unknown;
  /** The `ceremony` cookie. */
  readonly cookie: string | undefined;
  readonly presented: Presented;
  /** Whether the user chose to stay signed in. */
  readonly remembered: boolean;
}

export interface PasskeyLogInOptions {
  readonly passkeys: Passkeys;
  readonly users: Pick<UserDirectory, 'findById'>;
  readonly ownerOf: (user: User) => FactorOwner;
  readonly attempt: AttemptByAddress;
  readonly admit: Admit;
  readonly audit: Audit<keyof typeof passkeyEvents>;
}

/**
 * Logs in by a passkey, which names its user.
 * @throws {Refusal} `passkey-refused`, `passkey-unknown`, `too-many-passkeys`
 * @throws {Unavailable} when too many logins are waiting, or a store cannot be reached
 */
export type LogInByPasskey = (login: PasskeyLogin, caller: Caller) => Promise<Admitted>;

type Checked =
  | { readonly succeeded: true; readonly account: Account; readonly passkey: StoredPasskey }
  | { readonly succeeded: false; readonly reason: string; readonly userId?: string };

export function createLogInByPasskey(options: PasskeyLogInOptions): LogInByPasskey {
  const { passkeys, users, ownerOf, attempt, admit, audit } = options;

  async function check({ credential, cookie }: PasskeyLogin): Promise<Checked> {
    const passkey = await passkeys.prove(credential, { purpose: 'sign-in', cookie });
    if (typeof passkey === 'string') return { succeeded: false, reason: passkey };
    const { userId } = passkey.owner;
    const account = await users.findById(userId);
    if (account === undefined || !isSameOwner(ownerOf(account.user), passkey.owner))
      return { succeeded: false, reason: 'void-passkey' };
    return account.disabled
      ? { succeeded: false, reason: 'disabled-user', userId }
      : { succeeded: true, account, passkey };
  }

  /** Whether the passkey is still there, whatever else has changed. */
  const isKept = async ({ user }: Account, { id }: StoredPasskey) =>
    (await passkeys.list(ownerOf(user))).some((kept) => kept.id === id);

  return async (login, caller) => {
    const throttled = await attempt(caller, () => check(login));
    const event = { caller, throttle: throttled.trace };
    if (!throttled.passed) {
      await audit.recordIfPossible({ kind: 'passkey-throttled', ...event });
      throw new Refusal(tooManyPasskeys, throttled.retryAfterSeconds);
    }
    const refuse = async (reason: string, about: Pick<AuditEvent, 'userId'> = {}): Promise<never> => {
      await audit.recordIfPossible({ kind: 'passkey-refused', reason, ...event, ...about });
      throw new Refusal(reason === 'unknown-passkey' ? passkeyUnknown : passkeyRefused);
    };
    const { result } = throttled;
    if (!result.succeeded) return refuse(result.reason, result);
    const { account, passkey } = result;
    const { presented, remembered } = login;
    const proof = {
      account,
      methods: passkeyMethods(passkey),
      stillHolds: (current: Account) => isKept(current, passkey),
    };
    const admitted = await admit(proof, { presented, caller, remembered, event: { throttle: throttled.trace } });
    return admitted ?? refuse('changed-meanwhile', { userId: account.user.id });
  };
}
