import type { SignedIn } from '../access/access.ts';
import { notAuthenticated } from '../access/access.ts';
import { type ConfirmingRequest, insufficientUserAuthentication, type RequireFresh } from '../access/fresh-proof.ts';
import { InvalidFields, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { RenewedSession, Sessions } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import type { AttemptPassword } from './password-attempt.ts';
import { tooManyConfirmations } from './refusals.ts';

export interface ConfirmOptions {
  readonly users: UserDirectory;
  readonly sessions: Sessions;
  readonly attemptPassword: AttemptPassword;
  readonly knownBrowsers: KnownBrowsers;
  readonly audit: Audit<keyof typeof events>;
  /** How long a proof is fresh. */
  readonly maxAgeSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Proves by password that the owner of a session is there, and renews the credentials of the session.
 * @throws {InvalidFields} `password` is wrong
 * @throws {Refusal} `too-many-confirmations`; `not-authenticated` if the session has ended meanwhile
 */
export type Confirm = (
  signedIn: SignedIn,
  password: string,
  request: ConfirmingRequest,
) => Promise<{ readonly account: Account; readonly session: RenewedSession }>;

/** Fresh proof: the owner of a session proves their identity again, by password. */
export function createConfirm(options: ConfirmOptions): { confirm: Confirm; requireFresh: RequireFresh } {
  const { users, sessions, attemptPassword, knownBrowsers, audit, maxAgeSeconds, now } = options;

  /** @param field the field of the form that holds the password */
  async function prove({ user, session }: SignedIn, password: string, field: string, request: ConfirmingRequest) {
    const { caller, headers } = request;
    const start = performance.now();
    const account = await users.findById(user.id);
    // Changed since this request was let in.
    if (account === undefined || stampOf(account) !== session.stamp) throw new Refusal(notAuthenticated);
    const findKnownBrowser = (fingerprint: string) => knownBrowsers.find(fingerprint, headers.cookie);
    const sent = { name: account.user.username, account, password, findKnownBrowser, start };
    const { proof, seen } = await attemptPassword(sent, caller, {
      failed: { kind: 'confirm-failed', error: new InvalidFields({ field, code: 'wrong-password' }) },
      throttled: { kind: 'confirm-throttled', answer: tooManyConfirmations },
    });
    await audit.recordIfPossible({ kind: 'confirmed', caller, userId: user.id, sessionId: session.id, ...seen });
    return proof;
  }

  return {
    async confirm(signedIn, password, request) {
      const { account, methods } = await prove(signedIn, password, 'password', request);
      // A weak hash may have been replaced, and with it the stamp of a team's own account.
      const session = await sessions.renew(signedIn.session, { stamp: stampOf(account), methods });
      if (session === undefined) throw new Refusal(notAuthenticated);
      return { account, session };
    },

    async requireFresh(signedIn, currentPassword, request) {
      if (currentPassword) {
        await prove(signedIn, currentPassword, 'current_password', request);
        return;
      }
      const { user, session } = signedIn;
      if (now() - session.authenticatedAt <= maxAgeSeconds * 1000) return;
      const { caller } = request;
      await audit.recordIfPossible({ kind: 'confirm-required', caller, userId: user.id, sessionId: session.id });
      throw new Refusal({ ...insufficientUserAuthentication, freshProof: { maxAgeSeconds } });
    },
  };
}
