import type { SignedIn } from '../access/access.ts';
import { type Answer, InvalidFields, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Database } from '../database/database.ts';
import type { Language } from '../languages/languages.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { RenewedSession, Sessions } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { User } from '../users/user.ts';
import type { UserDirectory, UserRegistry } from '../users/user-directory.ts';
import type { Binding } from './challenges.ts';
import type { events } from './events.ts';
import type { Factors } from './factors.ts';
import type { FactorOwner } from './owner.ts';
import type { Passkeys } from './passkeys.ts';
import type { PendingLogins } from './pending-logins.ts';
import type { RecoveryCodes } from './recovery-codes.ts';
import type { Totp } from './totp.ts';
import type { TrustedBrowsers } from './trusted-browsers.ts';

export const noSuchFactor: Answer = { name: 'no-such-factor', status: 404, detail: 'There is nothing with that id' };

/** An account keeps what it must have. */
export const lastFactor: Answer = {
  name: 'last-factor',
  status: 409,
  detail: 'Your account must keep this factor. Add another one before you remove it',
};

/** Runs a change in a transaction. */
type Within = (change: (db: Database) => Promise<boolean>) => Promise<void>;

export interface ManageOptions {
  readonly database: Database;
  readonly users: UserDirectory;
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly factors: Factors;
  /** Undefined where the host cannot have passkeys. */
  readonly passkeys: Passkeys | undefined;
  readonly totp: Totp;
  readonly recoveryCodes: RecoveryCodes;
  readonly trustedBrowsers: TrustedBrowsers;
  readonly pendingLogins: PendingLogins;
  /** Whether every account must have a second factor. */
  readonly isRequired: boolean;
  /** Undefined where no mail is sent. */
  readonly outbox: Outbox | undefined;
  readonly audit: Audit<keyof typeof events>;
}

/** A signed-in user who changes their factors, after a fresh proof. */
export interface FactorChange {
  readonly signedIn: SignedIn;
  readonly language: Language;
  readonly caller: Caller;
}

/** The code of a user who adds the first factor by a link. */
export interface Enrolled extends Omit<FactorChange, 'signedIn'> {
  readonly account: Account;
  readonly code: string;
}

/** What became of a change. */
export interface FactorsChanged {
  /** New recovery codes, if the account had none. They are known only now. */
  readonly recoveryCodes: readonly string[];
  /** The session with new credentials, and its account. Undefined if it has ended meanwhile. */
  readonly renewed: { readonly account: Account; readonly session: RenewedSession } | undefined;
}

export type ManageFactors = ReturnType<typeof createManageFactors>;

/** Adds and removes the second factors of a user. Each change ends the user's other sessions, which were started with less (VM-15). */
export function createManageFactors(options: ManageOptions) {
  const { database, users, registry, sessions, factors, passkeys, totp, recoveryCodes } = options;
  const { trustedBrowsers, pendingLogins, isRequired, outbox, audit } = options;

  const inTransaction: Within = (change) =>
    database.transaction().execute(async (db) => {
      await change(db);
    });

  /** Makes a change, and all that belongs to it, in one transaction. Throws what `work` throws. */
  async function commit(
    user: User,
    language: Language,
    caller: Caller,
    work: (db: Database, owner: FactorOwner) => Promise<void>,
    within = inTransaction,
  ) {
    const owner = factors.ownerOf({ user });
    await within(async (db) => {
      // First, because other changes of the user then wait for this one.
      await registry?.renewStamp(user.id, db);
      await work(db, owner);
      await trustedBrowsers.end(owner, undefined, db);
      await pendingLogins.endAllOf(user.id, db);
      const notice = { purpose: 'factors-changed', address: user.username, userId: user.id, language };
      await outbox?.add({ ...notice, requestId: caller.requestId }, db);
      return true;
    });
  }

  async function change(
    { signedIn: { user, session }, language, caller }: FactorChange,
    kind: 'factor-added' | 'factor-removed',
    reason: string,
    work: (db: Database, owner: FactorOwner) => Promise<void>,
  ): Promise<FactorsChanged> {
    const hasPassword = (await users.findById(user.id))?.passwordHash !== undefined;
    let codes: readonly string[] = [];
    await commit(user, language, caller, async (db, owner) => {
      await work(db, owner);
      if (kind === 'factor-removed') await requireEnough(owner, hasPassword, db);
      else if ((await recoveryCodes.count(owner, db)) === 0) codes = await recoveryCodes.replace(owner, db);
    });
    await audit.recordIfPossible({ kind, reason, caller, userId: user.id, sessionId: session.id });
    // The new stamp has ended the sessions of our own accounts already.
    await sessions.endOthersOf(user.id, session.id);
    const account = await users.findById(user.id);
    const renewed = account && (await sessions.renew(session, { stamp: stampOf(account) }));
    return { recoveryCodes: codes, renewed: account && renewed && { account, session: renewed } };
  }

  /** @throws {Refusal} `last-factor` if an account without a password has no passkey left, or one that must have a factor has none */
  async function requireEnough(owner: FactorOwner, hasPassword: boolean, db: Database): Promise<void> {
    const canLogIn = hasPassword || ((await passkeys?.list(owner, db)) ?? []).length > 0;
    if (!canLogIn || (isRequired && !(await factors.hasAny(owner, db)))) throw new Refusal(lastFactor);
  }

  async function enableTotp(code: string, owner: FactorOwner, db: Database): Promise<void> {
    if (!(await totp.enable(owner, code, db))) throw new InvalidFields({ field: 'code', code: 'wrong-code' });
  }

  function requirePasskeys(): Passkeys {
    if (passkeys === undefined) throw new TypeError('without passkeys, there are no such routes');
    return passkeys;
  }

  return {
    /** What a user has. @param stamp of the account or session: what is bound to another one is void */
    async list(user: User, stamp: string) {
      const owner = factors.ownerOf({ user });
      const [keys, app, codes, browsers] = await Promise.all([
        passkeys?.list(owner) ?? [],
        totp.find(owner),
        recoveryCodes.count(owner),
        trustedBrowsers.list(owner, stamp),
      ]);
      return { passkeys: keys, totp: app, recoveryCodesLeft: codes, trustedBrowsers: browsers };
    },

    beginTotp: ({ user }: SignedIn) => totp.begin(factors.ownerOf({ user }), user.username),

    /** @throws {InvalidFields} if the code is wrong */
    enableTotp: (by: FactorChange, code: string) =>
      change(by, 'factor-added', 'totp', (db, owner) => enableTotp(code, owner, db)),

    /**
     * Adds the first factor of a user who is not signed in, and gives the recovery codes. Ends all sessions.
     * @param within runs the change with the link that allows it
     * @throws {InvalidFields} if the code is wrong
     * @throws {Refusal} `no-such-factor` if there is a factor by now
     */
    async enrol({ account: { user }, code, language, caller }: Enrolled, within: Within): Promise<readonly string[]> {
      let codes: readonly string[] = [];
      const add = async (db: Database, owner: FactorOwner) => {
        if (await factors.hasAny(owner, db)) throw new Refusal(noSuchFactor);
        await enableTotp(code, owner, db);
        codes = await recoveryCodes.replace(owner, db);
      };
      await commit(user, language, caller, add, within);
      await audit.recordIfPossible({ kind: 'factor-added', reason: 'totp', caller, userId: user.id });
      await sessions.endAllOf(user.id);
      return codes;
    },

    /** @throws {Refusal} `last-factor` */
    removeTotp: (by: FactorChange) => change(by, 'factor-removed', 'totp', (db, owner) => totp.remove(owner, db)),

    passkeyOptions: ({ user }: SignedIn, binding: Binding) =>
      requirePasskeys().creationOptions(factors.ownerOf({ user }), user, binding),

    /** @throws {InvalidFields} if the passkey cannot be verified, or is there already */
    async addPasskey(by: FactorChange, sent: unknown, binding: Binding, name: string | undefined) {
      const made = await requirePasskeys().verifyNew(sent, binding);
      return change(by, 'factor-added', 'passkey', async (db, owner) => {
        const added = made && (await requirePasskeys().add(owner, made, name, db));
        if (added === undefined) throw new InvalidFields({ field: 'credential', code: 'wrong-passkey' });
      });
    },

    /** @throws {Refusal} `no-such-factor`, `last-factor` */
    removePasskey: (by: FactorChange, id: string) =>
      change(by, 'factor-removed', 'passkey', async (db, owner) => {
        if (!(await passkeys?.remove(owner, id, db))) throw new Refusal(noSuchFactor);
      }),

    /** @throws {Refusal} `no-such-factor` */
    async renamePasskey({ user }: SignedIn, id: string, name: string): Promise<void> {
      if (!(await passkeys?.rename(factors.ownerOf({ user }), id, name))) throw new Refusal(noSuchFactor);
    },

    /** Gives ten new recovery codes, which make the old ones void. */
    async renewRecoveryCodes({ signedIn: { user, session }, caller }: FactorChange): Promise<readonly string[]> {
      const owner = factors.ownerOf({ user });
      const codes = await database.transaction().execute((db) => recoveryCodes.replace(owner, db));
      await audit.recordIfPossible({ kind: 'recovery-codes-renewed', caller, userId: user.id, sessionId: session.id });
      return codes;
    },

    /** Ends the trust in one browser, or in all. @throws {Refusal} `no-such-factor` */
    async endTrust({ user }: SignedIn, id: string | undefined, caller: Caller): Promise<void> {
      const count = await trustedBrowsers.end(factors.ownerOf({ user }), id);
      if (count === 0 && id !== undefined) throw new Refusal(noSuchFactor);
      await audit.recordIfPossible({ kind: 'trust-ended', caller, userId: user.id });
    },

    /** Removes all factors of a user who has lost them, by an operator. Ends all sessions. */
    async removeAll(user: User, caller: Caller): Promise<void> {
      await commit(user, 'en', caller, async (db, owner) => {
        await totp.remove(owner, db);
        await recoveryCodes.remove(owner, db);
        await passkeys?.remove(owner, undefined, db);
      });
      await audit.record({ kind: 'factors-removed', caller, userId: user.id });
      await sessions.endAllOf(user.id);
    },
  };
}
