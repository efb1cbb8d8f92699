import type { SignedIn } from '../../core/access/access.ts';
import { lockingOf } from '../../core/access/access.ts';
import { includesSecondFactor } from '../../core/access/factor.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { ChangeEvent, Renewed } from '../../core/changes/change.ts';
import type { AuthenticationMethod } from '../../core/sessions/store.ts';
import type { Account } from '../../core/users/account.ts';
import { type Held, provedBy } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { inTransactionOn } from '../../ground/database/transaction.ts';
import type { Language } from '../../ground/languages/languages.ts';
import { textsIn } from '../../ground/languages/speech.ts';
import { nameClient } from '../../ground/text/user-agent.ts';
import type { Binding } from './challenges.ts';
import type { FactorCore } from './events.ts';
import type { Factors } from './factors.ts';
import { nameProvider, type Passkey, passkeyMethods } from './passkeys.ts';
import { factorDemanded, lastFactor, noSuchFactor } from './refusals.ts';

/** A change of second factors by a signed-in user, after a fresh proof. */
export interface FactorChange {
  readonly signedIn: SignedIn;
  /** The account as it was at the proof. */
  readonly account: Account;
  readonly language: Language;
  readonly caller: Caller;
}

export interface FactorsChanged {
  /** New recovery codes, if there are any. They can be shown only now. */
  readonly recoveryCodes: readonly string[];
  /** Undefined if the session has ended meanwhile. */
  readonly renewed: Renewed | undefined;
  /** Name of the passkey that was added. */
  readonly name?: string;
}

/** Changes the factors in the transaction. */
type Work = (held: Held) => Promise<void>;

type OwnEvent = Pick<ChangeEvent<readonly string[]>, 'noticeDetails'> & {
  kind: 'factor-added' | 'factor-removed' | 'recovery-codes-renewed';
  reason?: 'totp' | 'passkey';
};

export type ManageFactors = ReturnType<typeof createManageFactors>;

/**
 * Adds and removes the second factors of a user. Each change ends the user's other sessions, because they were started with fewer factors
 * (VM-15).
 */
export function createManageFactors({ database, change, changeAny, audit, ports }: FactorCore, factors: Factors) {
  const { passkeys, totp, recoveryCodes, trustedBrowsers } = factors;

  /**
   * Wraps a change, so that recovery codes exist exactly while the user has a factor. The wrapped change returns new codes, if it has made
   * any.
   */
  const renewingCodes =
    (work: Work) =>
    async (held: Held): Promise<readonly string[]> => {
      const { user, db } = held;
      await work(held);
      if ((await factors.list(user, db)).hasAny)
        return (await recoveryCodes.count(user, db)) > 0 ? [] : recoveryCodes.replace(held);
      await recoveryCodes.remove(user, db);
      return [];
    };

  /** @throws {Refusal} `factor-demanded` */
  async function requireMayAdd({ session }: SignedIn, account: Account, db?: Database): Promise<void> {
    const isFirst = !(await factors.list(account.user, db)).hasAny;
    if (isFirst && !includesSecondFactor(session.methods) && (await factors.isDemanded(account, db)))
      throw new Refusal(factorDemanded);
  }

  /**
   * Makes a change for the user, whose session goes on.
   * @param proved methods that the change itself proves, besides those of the session
   */
  async function changeOwn(
    { signedIn: { session }, account, language, caller }: FactorChange,
    event: OwnEvent,
    work: Work,
    proved: readonly AuthenticationMethod[] = [],
  ): Promise<FactorsChanged> {
    const by = { caller, language, session, proved };
    const { made, renewed } = await change(event, provedBy(account), by, renewingCodes(work));
    return { recoveryCodes: made, renewed };
  }

  /**
   * @throws {Refusal} `last-factor` if an account that must have a factor keeps none, or if an account without a password keeps neither a
   * passkey nor another provider
   */
  const removeOwn = (
    by: FactorChange,
    reason: 'totp' | 'passkey',
    work: Work,
    noticeDetails: OwnEvent['noticeDetails'] = () => ({ what: 'app-removed' }),
  ): Promise<FactorsChanged> =>
    changeOwn(by, { kind: 'factor-removed', reason, noticeDetails }, async (held) => {
      const { account, user, db } = held;
      await work(held);
      const { hasAny } = await factors.list(user, db);
      const canLogIn = account.passwordHash !== undefined || (await ports.hasOtherSignIn(user, db));
      if (!canLogIn || (!hasAny && (await factors.isDemanded(account, db)))) throw new Refusal(lastFactor);
    });

  return {
    renewingCodes,
    requireMayAdd,

    /**
     * Lists the factors of a user. @param stamp of the account or session (see `stampOf`). The trust in a browser under another stamp has
     * ended
     */
    async list(user: User, stamp: string) {
      const own = await factors.list(user);
      return {
        ...own,
        signal: passkeys.describeForBrowser(user, own.passkeys),
        recoveryCodesLeft: await recoveryCodes.count(user),
        trustedBrowsers: await trustedBrowsers.list(user, stamp),
      };
    },

    /** @throws {InvalidFields} if the code is wrong; {Refusal} `factor-demanded` */
    enableTotp(by: FactorChange, code: string) {
      let what = 'app-added';
      return changeOwn(
        by,
        { kind: 'factor-added', reason: 'totp', noticeDetails: () => ({ what }) },
        async (held) => {
          await requireMayAdd(by.signedIn, held.account, held.db);
          what = (await totp.find(held.user, held.db)) === undefined ? 'app-added' : 'app-replaced';
          if (!(await totp.enable(held, code))) throw new InvalidFields({ field: 'code', code: 'wrong-code' });
        },
        ['otp'],
      );
    },

    /** @throws {Refusal} `no-such-factor`, `last-factor` */
    removeTotp: (by: FactorChange) =>
      removeOwn(by, 'totp', async ({ user, db }) => {
        if ((await totp.find(user, db)) === undefined) throw new Refusal(noSuchFactor);
        await totp.remove(user, db);
      }),

    /** @throws {InvalidFields} if the passkey cannot be verified, or is there already; {Refusal} `factor-demanded` */
    async addPasskey(by: FactorChange, sent: unknown, binding: Binding, name: string | undefined) {
      const made = await passkeys.verifyRegistration(sent, binding);
      const { userAgent } = by.caller;
      const browser = nameClient(userAgent).browser && textsIn(by.language).client(userAgent);
      let added: Passkey | undefined;
      const changed = await changeOwn(
        by,
        {
          kind: 'factor-added',
          reason: 'passkey',
          noticeDetails: () => ({ what: 'passkey-added', name: nameProvider(made?.aaguid) }),
        },
        async (held) => {
          await requireMayAdd(by.signedIn, held.account, held.db);
          added = made && (await passkeys.add(held, made, name, browser));
          if (added === undefined) throw new InvalidFields({ field: 'credential', code: 'wrong-passkey' });
        },
        made && passkeyMethods(made),
      );
      return { ...changed, ...(added && { name: added.name }) };
    },

    /** @throws {Refusal} `no-such-factor`, `last-factor` */
    removePasskey(by: FactorChange, id: string) {
      let name = '';
      return removeOwn(
        by,
        'passkey',
        async ({ user, db }) => {
          name = nameProvider((await passkeys.list(user, db)).find((own) => own.id === id)?.aaguid);
          if (!(await passkeys.remove(user, id, db))) throw new Refusal(noSuchFactor);
        },
        () => ({ what: 'passkey-removed', name }),
      );
    },

    /** @throws {Refusal} `no-such-factor` */
    async renamePasskey({ signedIn }: FactorChange, id: string, name: string): Promise<undefined> {
      if (!(await passkeys.rename(signedIn.user, id, name))) throw new Refusal(noSuchFactor);
    },

    /** Makes ten new recovery codes. The old ones become void. @throws {Refusal} `no-such-factor` if the user has no other factor */
    renewRecoveryCodes: (by: FactorChange) =>
      changeOwn(by, { kind: 'recovery-codes-renewed' }, async ({ user, db }) => {
        if (!(await factors.list(user, db)).hasAny) throw new Refusal(noSuchFactor);
        await recoveryCodes.remove(user, db);
      }),

    /** Ends the trust in one browser, or in all without an `id`. @throws {Refusal} `no-such-factor` */
    async endTrust({ signedIn, caller }: FactorChange, id: string | undefined): Promise<undefined> {
      const userId = signedIn.user.id;
      await inTransactionOn(database, lockingOf(signedIn), async (db) => {
        const count = await trustedBrowsers.end(signedIn.user, id, db);
        if (count === 0 && id !== undefined) throw new Refusal(noSuchFactor);
        if (count > 0) await audit.recordIn(db, { kind: 'trust-ended', reason: 'by-its-user', caller, userId });
      });
    },

    /**
     * Removes all factors of a user who has lost them, for an operator. Ends all sessions.
     * @param judge throws if the operator may not change the account
     */
    async removeAll(
      user: User,
      actor: { readonly caller: Caller; readonly actorId?: string },
      judge: (account: Account) => void = () => {},
    ): Promise<void> {
      const event = { kind: 'factors-removed', isChange: (made: boolean) => made } as const;
      await changeAny(event, user.id, actor, async ({ account, user, db }) => {
        judge(account);
        if (!(await factors.list(user, db)).hasAny && (await recoveryCodes.count(user, db)) === 0) return false;
        await totp.remove(user, db);
        await passkeys.remove(user, undefined, db);
        await recoveryCodes.remove(user, db);
        return true;
      });
    },
  };
}
