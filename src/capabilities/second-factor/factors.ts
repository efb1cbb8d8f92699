import { type CheckFactor, type FactorMethod, type SentFactor, tooManyCodes } from '../../core/access/factor.ts';
import { limitsOfFactor } from '../../core/access/login-limits.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { originOf } from '../../core/mail/notice.ts';
import type { Account } from '../../core/users/account.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { inTransactionOn } from '../../ground/database/transaction.ts';
import { ceremonyCookie } from '../../web/cookies.ts';
import type { Binding } from './challenges.ts';
import type { FactorCore } from './events.ts';
import { passkeyMethods } from './passkeys.ts';
import { createPendingLogins } from './pending-logins.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { createTotp } from './totp.ts';
import { createTrustedBrowsers } from './trusted-browsers.ts';

export type Factors = ReturnType<typeof createFactors>;

/** Stores second factors, lists those of an account, and checks sent factors. */
export function createFactors(core: FactorCore) {
  const { database, mailer, passkeys, settings, groups, throttle, audit, now } = core;
  const { SECOND_FACTOR: policy } = settings;
  const totp = createTotp(core);
  const recoveryCodes = createRecoveryCodes(database);
  const ceremony = ceremonyCookie(core.https);

  /** Binds the challenge of a passkey to its purpose and to the browser that answers it. */
  const bindingOf = (purpose: string, { cookie }: SentFactor['headers']): Binding => ({
    purpose,
    cookie: ceremony.read(cookie),
  });

  /** Lists the factors of a user, even while the settings ignore factors. Recovery codes alone are no factor. `db` may be a transaction. */
  async function list(user: Pick<User, 'id'>, db?: Database) {
    const keys = await passkeys.list(user, db);
    const app = await totp.find(user, db);
    return { passkeys: keys, totp: app, hasAny: keys.length > 0 || app !== undefined };
  }

  async function checkPasskey(user: Pick<User, 'id'>, { credential, headers }: SentFactor, purpose: string) {
    const proven = await passkeys.prove(credential, bindingOf(purpose, headers), user);
    if (typeof proven === 'string') return { succeeded: false, code: 'wrong-passkey', reason: proven } as const;
    return { succeeded: true, methods: passkeyMethods(proven) } as const;
  }

  /** Uses up a code, and mails its owner: an attacker may have found the codes. */
  const useRecoveryCode = (user: User, { code = '', language = 'en' }: SentFactor, caller: Caller) =>
    inTransactionOn(database, { rows: [user.id] }, async (db) => {
      if (!(await recoveryCodes.use(user, code, db))) return false;
      const left = String(await recoveryCodes.count(user, db));
      const mail = { purpose: 'recovery-code-used', address: user.username, language, userId: user.id };
      await mailer?.notify({ ...mail, details: { left, ...originOf({ caller }) } }, caller, db);
      return true;
    });

  async function checkCode(user: User, sent: SentFactor, caller: Caller) {
    const { method, code = '' } = sent;
    const isRight =
      (method === 'recovery_code' && (await useRecoveryCode(user, sent, caller))) ||
      (method === 'totp' && (await totp.check(user, code)));
    return isRight
      ? ({ succeeded: true, methods: ['otp'] } as const)
      : ({ succeeded: false, code: 'wrong-code', reason: 'wrong-code' } as const);
  }

  const checkFactor: CheckFactor = async ({ user }, sent, purpose, caller) => {
    // A passkey cannot be guessed, so its tries are not limited.
    if (sent.method === 'passkey') return checkPasskey(user, sent, purpose);
    const userId = user.id;
    const attempted = await throttle.attempt(limitsOfFactor(userId, caller.address), () =>
      checkCode(user, sent, caller),
    );
    const { trace } = attempted;
    if (!attempted.passed) {
      await audit.recordIfPossible({ kind: 'second-factor-throttled', caller, userId, throttle: trace });
      throw new Refusal(tooManyCodes, attempted.retryAfterSeconds);
    }
    const { result, stops } = attempted;
    if (stops && !result.succeeded)
      await audit.recordIfPossible({ kind: 'second-factor-stopped', caller, userId, throttle: trace });
    return { ...result, throttle: trace };
  };

  return {
    totp,
    recoveryCodes,
    passkeys,
    bindingOf,
    list,
    checkFactor,
    pendingLogins: createPendingLogins(database, now),
    trustedBrowsers: createTrustedBrowsers(database, settings.TRUSTED_BROWSER_DAYS, now),

    /** Whether the account must have a second factor, by the settings or by one of its groups. `db` may be a transaction. */
    isDemanded: async ({ user }: Pick<Account, 'user'>, db?: Database): Promise<boolean> =>
      policy === 'required' || (policy === 'optional' && groups.demandsFactor(user.groups, db)),

    /** Lists the ways to prove a second factor: first the one that was used last. */
    async methodsOf({ user }: Pick<Account, 'user'>): Promise<FactorMethod[]> {
      if (policy === 'off') return [];
      const { passkeys, totp, hasAny } = await list(user);
      if (!hasAny) return [];
      const used = [
        ...passkeys.map(({ lastUsedAt }) => ({ method: 'passkey' as const, lastUsedAt })),
        ...(totp ? [{ method: 'totp' as const, lastUsedAt: totp.lastUsedAt }] : []),
      ].sort((one, other) => Number(other.lastUsedAt ?? 0) - Number(one.lastUsedAt ?? 0));
      const methods = new Set(used.map(({ method }) => method));
      return [...methods, ...((await recoveryCodes.count(user)) > 0 ? ['recovery_code' as const] : [])];
    },
  };
}
