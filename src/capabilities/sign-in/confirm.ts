import { byOwner, notAuthenticated, type SignedIn } from '../../core/access/access.ts';
import {
  type CheckFactor,
  challengePurposes,
  includesSecondFactor,
  type SentFactor,
} from '../../core/access/factor.ts';
import {
  type ConfirmingRequest,
  type FindFresh,
  insufficientUserAuthentication,
  noSecondFactor,
  type RequireFresh,
  type RequireStepUp,
  secondFactorWanted,
} from '../../core/access/fresh-proof.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { Sessions } from '../../core/sessions/sessions.ts';
import type { AuthenticationMethod } from '../../core/sessions/store.ts';
import { type Account, candidateOf, stampOf } from '../../core/users/account.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import type { events } from './events.ts';
import type { AttemptPassword } from './password-attempt.ts';
import { tooManyConfirmations } from './refusals.ts';

export interface ConfirmOptions {
  readonly users: UserDirectory;
  readonly sessions: Sessions;
  readonly attemptPassword: AttemptPassword;
  readonly methodsOf: (account: Pick<Account, 'user'>) => Promise<readonly string[]>;
  readonly checkFactor: CheckFactor;
  /** Tells whether the user has just proved their identity to another provider. That proof replaces the password. */
  readonly isProved: (signedIn: SignedIn, headers: ConfirmingRequest['headers']) => boolean;
  /** The ids of the providers with which the user can prove their identity. */
  readonly providersOf: (account: Pick<Account, 'user'>) => Promise<readonly string[]>;
  readonly audit: AuditOf<typeof events>;
  readonly maxAgeSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface SentProof extends Omit<SentFactor, 'headers' | 'language'> {
  readonly password?: string | undefined;
}

export type Confirm = ReturnType<typeof createConfirm>['confirm'];

export function createConfirm(options: ConfirmOptions) {
  const { users, sessions, attemptPassword, methodsOf, providersOf, checkFactor, isProved, audit, maxAgeSeconds, now } =
    options;

  /** Finds the account of a session. @throws {Refusal} `not-authenticated` if it has changed since the request was authenticated */
  async function requireAccount({ user, session }: SignedIn): Promise<Account> {
    const account = await users.findById(user.id);
    if (account === undefined || stampOf(account) !== session.stamp) throw new Refusal(notAuthenticated);
    return account;
  }

  async function provePassword(
    account: Account,
    password: string,
    field: string,
    { caller, headers }: ConfirmingRequest,
  ) {
    const start = performance.now();
    const sent = { name: account.user.username, candidate: candidateOf(account), password, headers, start };
    const { proof } = await attemptPassword(sent, caller, {
      failed: { kind: 'confirm-failed', error: new InvalidFields({ field, code: 'wrong-password' }) },
      throttled: { kind: 'confirm-throttled', answer: tooManyConfirmations },
    });
    return proof;
  }

  async function proveFactor(account: Account, { session }: SignedIn, sent: SentProof, request: ConfirmingRequest) {
    const { caller, headers, language } = request;
    const isPasskey = sent.method === 'passkey';
    if (!isPasskey && !sent.code) throw new InvalidFields({ field: 'code', code: 'missing' });
    const checked = await checkFactor(
      account,
      { ...sent, headers, language },
      challengePurposes.confirm(session.id),
      caller,
    );
    if (checked.succeeded) return checked.methods;
    const { reason, throttle } = checked;
    await audit.recordIfPossible({ kind: 'confirm-failed', reason, caller, userId: account.user.id, throttle });
    throw new InvalidFields({ field: isPasskey ? 'credential' : 'code', code: checked.code });
  }

  async function requirePassword(account: Account, password: string | undefined, request: ConfirmingRequest) {
    if (!password) throw new InvalidFields({ field: 'password', code: 'missing' });
    return provePassword(account, password, 'password', request);
  }

  async function prove(signedIn: SignedIn, sent: SentProof, request: ConfirmingRequest) {
    const account = await requireAccount(signedIn);
    if (sent.method === 'passkey') return { account, methods: await proveFactor(account, signedIn, sent, request) };
    const { account: proven, methods } = isProved(signedIn, request.headers)
      ? { account, methods: ['fed'] as const }
      : await requirePassword(account, sent.password, request);
    if ((await methodsOf(proven)).length === 0) return { account: proven, methods };
    const more = await proveFactor(proven, signedIn, sent, request);
    return { account: proven, methods: [...new Set([...methods, ...more, 'mfa' as const])] };
  }

  async function renew(
    signedIn: SignedIn,
    account: Account,
    methods: readonly AuthenticationMethod[],
    caller: ConfirmingRequest['caller'],
  ) {
    await audit.recordIfPossible({ kind: 'confirmed', ...byOwner(signedIn, caller) });
    // The session gets the current stamp. In a team's own table, the stamp changes when the check of a password replaces a weak hash.
    const session = await sessions.renew(signedIn.session, { stamp: stampOf(account), methods });
    if (session === undefined) throw new Refusal(notAuthenticated);
    return { account, session };
  }

  async function findFresh(signedIn: SignedIn, currentPassword: string | undefined, request: ConfirmingRequest) {
    const { session } = signedIn;
    let account = await requireAccount(signedIn);
    if (currentPassword) {
      ({ account } = await provePassword(account, currentPassword, 'current_password', request));
      await audit.recordIfPossible({ kind: 'confirmed', ...byOwner(signedIn, request.caller) });
    }
    const isRecent = now() - session.authenticatedAt <= maxAgeSeconds * 1000;
    if (isRecent && includesSecondFactor(session.methods)) return account;
    // A password alone does not prove the owner of an account with a second factor. A session that began in a trusted browser has proved no
    // more than the password.
    if ((isRecent || currentPassword) && (await methodsOf(account)).length === 0) return account;
    return undefined;
  }

  const fresh: { findFresh: FindFresh; requireFresh: RequireFresh; requireStepUp: RequireStepUp } = {
    findFresh: (signedIn, request) => findFresh(signedIn, undefined, request),

    async requireFresh(signedIn, currentPassword, request) {
      const account = await findFresh(signedIn, currentPassword, request);
      if (account !== undefined) return account;
      await audit.recordIfPossible({ kind: 'confirm-required', ...byOwner(signedIn, request.caller) });
      throw new Refusal({ ...insufficientUserAuthentication, freshProof: { maxAgeSeconds } });
    },

    async requireStepUp(signedIn, { maxAgeSeconds: oldest, secondFactor }, { caller }) {
      const { session } = signedIn;
      const isOld = oldest !== undefined && now() - session.authenticatedAt > oldest * 1000;
      const isMissing = secondFactor && !includesSecondFactor(session.methods);
      if (!isOld && !isMissing) return;
      const canProve = !isMissing || (await methodsOf(signedIn)).length > 0;
      const reason = canProve ? undefined : 'no-second-factor';
      await audit.recordIfPossible({ kind: 'confirm-required', reason, ...byOwner(signedIn, caller) });
      if (!canProve) throw new Refusal(noSecondFactor);
      const answer = secondFactor ? secondFactorWanted : insufficientUserAuthentication;
      throw new Refusal({ ...answer, freshProof: { ...answer.freshProof, maxAgeSeconds: oldest } });
    },
  };
  return {
    ...fresh,

    /**
     * Confirms by methods that another provider has proved. Undefined if the account has a second factor, and the provider has proved none.
     */
    async confirmBy(signedIn: SignedIn, methods: readonly AuthenticationMethod[], { caller }: ConfirmingRequest) {
      const account = await requireAccount(signedIn);
      if (!includesSecondFactor(methods) && (await methodsOf(account)).length > 0) return undefined;
      return renew(signedIn, account, methods, caller);
    },

    confirm: {
      isProved,

      /** Lists the ways to prove the identity: second factors, linked accounts of other providers, and the password, if there is one. */
      async waysOf(signedIn: SignedIn) {
        const account = await requireAccount(signedIn);
        const [methods, providers] = await Promise.all([methodsOf(account), providersOf(account)]);
        return { methods, providers, hasPassword: account.passwordHash !== undefined };
      },

      /**
       * Proves the identity of the session's owner, and renews the credentials of the session. A passkey alone is enough. Otherwise it
       * takes the password or another provider and, if the account has one, a second factor. A trusted browser does not replace the factor.
       * @throws {InvalidFields} a field is wrong
       * @throws {Refusal} `too-many-confirmations`; `not-authenticated` if the session has ended meanwhile
       */
      async confirm(signedIn: SignedIn, sent: SentProof, request: ConfirmingRequest) {
        const { account, methods } = await prove(signedIn, sent, request);
        return renew(signedIn, account, methods, request.caller);
      },
    },
  };
}
