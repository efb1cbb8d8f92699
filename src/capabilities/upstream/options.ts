import type { SignedIn } from '../../core/access/access.ts';
import type { Admit } from '../../core/access/admit.ts';
import type { ConfirmingRequest } from '../../core/access/fresh-proof.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { Changes } from '../../core/changes/change.ts';
import type { RenewedSession } from '../../core/sessions/sessions.ts';
import type { AuthenticationMethod } from '../../core/sessions/store.ts';
import type { Throttle } from '../../core/throttle/throttle.ts';
import type { Tokens } from '../../core/tokens/tokens.ts';
import type { Account } from '../../core/users/account.ts';
import type { HoldNew } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { UserDirectory, UserRegistry } from '../../core/users/user-directory.ts';
import type { Database } from '../../ground/database/database.ts';
import type { ProviderOptions } from './configurations.ts';
import type { events } from './events.ts';
import type { Identities } from './identities.ts';
import type { Upstream } from './upstream.ts';

export interface UpstreamOptions extends ProviderOptions, Pick<Changes, 'change'> {
  readonly upstreams: readonly Upstream[];
  readonly identities: Identities;
  /** Signing key of 32 bytes or more. */
  readonly key: Buffer;
  readonly users: UserDirectory;
  /** The same directory, if this server may change it. Undefined otherwise. */
  readonly registry: UserRegistry | undefined;
  readonly holdNew: HoldNew | undefined;
  /** Whether a new user of a provider may create an account. */
  readonly signUp: boolean;
  /** Domains whose addresses may sign up. None means any. */
  readonly signUpDomains: readonly string[];
  readonly tokens: Pick<Tokens, 'markUsed'>;
  readonly throttle: Pick<Throttle, 'take'>;
  readonly admit: Admit;
  /** Renews a session after a new sign-in. Undefined if the account needs a second factor besides these methods. */
  readonly confirmBy: (
    signedIn: SignedIn,
    methods: readonly AuthenticationMethod[],
    request: ConfirmingRequest,
  ) => Promise<{ readonly account: Account; readonly session: RenewedSession } | undefined>;
  /** Whether the user can log in without a password, as the transaction sees it. */
  readonly hasOtherSignIn: (user: User, db: Database) => Promise<boolean>;
  /** Finds the identifier of the browser, if the account with this fingerprint has signed in with it before. */
  readonly knownBrowsers: { find(fingerprint: string, cookieHeader: string | undefined): string | undefined };
  readonly audit: AuditOf<typeof events>;
  readonly https: boolean;
  /** The address of this server for browsers. It is configured, and never taken from a request. */
  readonly baseUrl: () => string;
}
