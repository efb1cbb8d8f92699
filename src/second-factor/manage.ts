import type { SignedIn } from '../access/access.ts';
import { InvalidFields, Refusal } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import type { Database } from '../database/database.ts';
import { inTransaction } from '../database/transaction.ts';
import type { Language } from '../languages/languages.ts';
import type { RenewedSession } from '../sessions/sessions.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { User } from '../users/user.ts';
import type { Binding } from './challenges.ts';
import type { Factors } from './factors.ts';
import type { FactorOptions } from './options.ts';
import type { FactorOwner } from './owner.ts';
import { passkeyMethods } from './passkeys.ts';
import { lastFactor, noSuchFactor } from './refusals.ts';

/** A signed-in user who changes their factors, after a fresh proof. */
export interface FactorChange {
  readonly signedIn: SignedIn;
  readonly language: Language;
  readonly caller: Caller;
}

export interface FactorsChanged {
  /** New recovery codes, if there are any. They are known only now. */
  readonly recoveryCodes: readonly string[];
  /** The session with new credentials, and its account. Undefined if it has ended meanwhile. */
  readonly renewed: { readonly account: Account; readonly session: RenewedSession } | undefined;
}

/** What a change does to the factors. `db` is a transaction. */
type Work = (owner: FactorOwner, db: Database) => Promise<void>;

type OwnEvent = { kind: 'factor-added' | 'factor-removed' | 'recovery-codes-renewed'; reason?: 'totp' | 'passkey' };

export type ManageFactors = ReturnType<typeof createManageFactors>;

/** Adds and removes the second factors of a user. Each change ends the user's other sessions, which were started with less (VM-15). */
export function createManageFactors(
  { database, users, registry, sessions, policy, outbox, audit, endPersonalTokens, isLinked }: FactorOptions,
  factors: Factors,
) {
  const { passkeys, totp, recoveryCodes, trustedBrowsers, pendingLogins, ownerOf } = factors;

  /**
   * Makes a change, and all that belongs to it, but for its event and the sessions that it ends. Throws what `work` throws.
   * @param db a transaction
   * @returns the recovery codes, if they are new
   */
  async function change(
    user: User,
    { language, caller: { requestId } }: Omit<FactorChange, 'signedIn'>,
    db: Database,
    work: Work,
  ): Promise<readonly string[]> {
    const [owner, userId] = [ownerOf({ user }), user.id];
    // First, because other changes of the user then wait for this one. A team's own table has no stamp.
    await (registry === undefined ? factors.lock(owner, db) : registry.renewStamp(userId, db));
    await work(owner, db);
    await trustedBrowsers.end(owner, undefined, db);
    await pendingLogins.endAllOf(userId, db);
    await outbox?.add({ purpose: 'factors-changed', address: user.username, userId, language, requestId }, db);
    if ((await factors.list(owner, db)).hasAny)
      return (await recoveryCodes.count(owner, db)) > 0 ? [] : recoveryCodes.replace(owner, db);
    await recoveryCodes.remove(owner, db);
    return [];
  }

  /** A change by the user, whose session goes on. @param proved by the change itself, besides what the session was started with */
  async function changeOwn(
    by: FactorChange,
    event: OwnEvent,
    work: Work,
    proved: readonly AuthenticationMethod[] = [],
  ): Promise<FactorsChanged> {
    const { user, session } = by.signedIn;
    const codes = await inTransaction(database, (db) => change(user, by, db, work));
    await audit.recordIfPossible({ ...event, caller: by.caller, userId: user.id, sessionId: session.id });
    // The new stamp has ended the sessions of our own accounts already.
    await sessions.endOthersOf(user.id, session.id);
    const account = await users.findById(user.id);
    const methods = [...new Set([...session.methods, ...proved, 'mfa' as const])];
    const changes = account && { stamp: stampOf(account), ...(proved.length > 0 && { methods }) };
    const renewed = changes && (await sessions.renew(session, changes));
    return { recoveryCodes: codes, renewed: account && renewed && { account, session: renewed } };
  }

  /** @throws {Refusal} `last-factor` if an account without a password has no passkey and no other provider left, or one that must have a factor has none */
  async function removeOwn(by: FactorChange, reason: 'totp' | 'passkey', work: Work): Promise<FactorsChanged> {
    const hasPassword = (await users.findById(by.signedIn.user.id))?.passwordHash !== undefined;
    return changeOwn(by, { kind: 'factor-removed', reason }, async (owner, db) => {
      await work(owner, db);
      const { passkeys, hasAny } = await factors.list(owner, db);
      const canLogIn = hasPassword || passkeys.length > 0 || (await isLinked(by.signedIn.user, db));
      if (!canLogIn || (policy === 'required' && !hasAny)) throw new Refusal(lastFactor);
    });
  }

  return {
    change,

    /** What a user has. @param stamp of the account or session: what is bound to another one is void */
    async list(user: User, stamp: string) {
      const owner = ownerOf({ user });
      return {
        ...(await factors.list(owner)),
        recoveryCodesLeft: await recoveryCodes.count(owner),
        trustedBrowsers: await trustedBrowsers.list(owner, stamp),
      };
    },

    /** @throws {InvalidFields} if the code is wrong */
    enableTotp: (by: FactorChange, code: string) =>
      changeOwn(
        by,
        { kind: 'factor-added', reason: 'totp' },
        async (owner, db) => {
          if (!(await totp.enable(owner, code, db))) throw new InvalidFields({ field: 'code', code: 'wrong-code' });
        },
        ['otp'],
      ),

    /** @throws {Refusal} `no-such-factor`, `last-factor` */
    removeTotp: (by: FactorChange) =>
      removeOwn(by, 'totp', async (owner, db) => {
        if ((await totp.find(owner, db)) === undefined) throw new Refusal(noSuchFactor);
        await totp.remove(owner, db);
      }),

    /** @throws {InvalidFields} if the passkey cannot be verified, or is there already */
    async addPasskey(by: FactorChange, sent: unknown, binding: Binding, name: string | undefined) {
      const made = await passkeys.verifyNew(sent, binding);
      return changeOwn(
        by,
        { kind: 'factor-added', reason: 'passkey' },
        async (owner, db) => {
          const added = made && (await passkeys.add(owner, made, name, db));
          if (added === undefined) throw new InvalidFields({ field: 'credential', code: 'wrong-passkey' });
        },
        made && passkeyMethods(made),
      );
    },

    /** @throws {Refusal} `no-such-factor`, `last-factor` */
    removePasskey: (by: FactorChange, id: string) =>
      removeOwn(by, 'passkey', async (owner, db) => {
        if (!(await passkeys.remove(owner, id, db))) throw new Refusal(noSuchFactor);
      }),

    /** @throws {Refusal} `no-such-factor` */
    async renamePasskey({ signedIn }: FactorChange, id: string, name: string): Promise<undefined> {
      if (!(await passkeys.rename(ownerOf(signedIn), id, name))) throw new Refusal(noSuchFactor);
    },

    /** Gives ten new recovery codes, which make the old ones void. @throws {Refusal} `no-such-factor` if the user has no other factor */
    renewRecoveryCodes: (by: FactorChange) =>
      changeOwn(by, { kind: 'recovery-codes-renewed' }, async (owner, db) => {
        if (!(await factors.list(owner, db)).hasAny) throw new Refusal(noSuchFactor);
        await recoveryCodes.remove(owner, db);
      }),

    /** Ends the trust in one browser, or in all. @throws {Refusal} `no-such-factor` */
    async endTrust({ signedIn, caller }: FactorChange, id: string | undefined): Promise<undefined> {
      const count = await trustedBrowsers.end(ownerOf(signedIn), id);
      if (count === 0 && id !== undefined) throw new Refusal(noSuchFactor);
      await audit.recordIfPossible({ kind: 'trust-ended', caller, userId: signedIn.user.id });
    },

    /** Removes all factors of a user who has lost them, by an operator. Ends all sessions. */
    async removeAll(user: User, actor: { readonly caller: Caller; readonly actorId?: string }): Promise<void> {
      await inTransaction(database, (db) =>
        change(user, { language: 'en', caller: actor.caller }, db, async (owner) => {
          await totp.remove(owner, db);
          await passkeys.remove(owner, undefined, db);
          await endPersonalTokens(user.id, db);
        }),
      );
      await audit.record({ kind: 'factors-removed', ...actor, userId: user.id });
      await sessions.endAllOf(user.id);
    },
  };
}
