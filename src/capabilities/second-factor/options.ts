import type { Admit } from '../../core/access/admit.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { Caller, KeyTrace } from '../../core/audit/event.ts';
import type { Changes } from '../../core/changes/change.ts';
import type { events as mailEvents } from '../../core/mail/events.ts';
import type { Mailer } from '../../core/mail/mailer.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import type { Limits, Throttle } from '../../core/throttle/throttle.ts';
import type { events as linkEvents } from '../../core/tokens/events.ts';
import type { Tokens } from '../../core/tokens/tokens.ts';
import type { Account } from '../../core/users/account.ts';
import type { Groups } from '../../core/users/groups.ts';
import type { Hold } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { UserDirectory, UserRegistry } from '../../core/users/user-directory.ts';
import type { Database } from '../../ground/database/database.ts';
import type { Cipher } from '../../ground/encryption/cipher.ts';
import type { Features, FlowOptions } from '../../web/flow-options.ts';
import type { events } from './events.ts';
import type { Passkeys } from './passkeys.ts';

export interface FactorOptions extends Pick<Changes, 'change' | 'changeAny'> {
  readonly hold: Hold;
  readonly database: Database;
  readonly cipher: Cipher;
  readonly passkeys: Passkeys;
  readonly users: UserDirectory;
  /** The same directory, if this server may change it. Undefined otherwise. */
  readonly registry: UserRegistry | undefined;
  readonly groups: Pick<Groups, 'demandsFactor'>;
  readonly throttle: Throttle;
  /** Returns the limits that count wrong factors of a user and from an address. */
  readonly limitsOfFactor: (userId: string, address: string | undefined) => Limits<KeyTrace['kind']>;
  /** Clears the failed passwords before a login that a second factor has finished. */
  readonly clearPasswordFailures: (account: Account, knownBrowser: string | undefined, caller: Caller) => Promise<void>;
  /** Undefined where no mail is sent. */
  readonly mailer: Mailer | undefined;
  readonly tokens: Tokens;
  readonly admit: Admit;
  /** Whether the user can log in without a password, as the transaction sees it. */
  readonly hasOtherSignIn: (user: User, db: Database) => Promise<boolean>;
  readonly findApplication: JoinedPorts['findApplication'];
  readonly audit: AuditOf<typeof events & typeof linkEvents & typeof mailEvents>;
  readonly appName: string;
  readonly https: boolean;
  /** Finds the identifier of the browser, if the account with this fingerprint has signed in with it before. */
  readonly knownBrowsers: { find(fingerprint: string, cookieHeader: string | undefined): string | undefined };
  /** Days that a browser stays trusted. 0 offers no trust. */
  readonly trustedBrowserDays: number;
  /** `off` ignores the factors of all users. */
  readonly policy: 'optional' | 'required' | 'off';
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Options that are known before the stores answer. */
export interface FactorRouteOptions extends Pick<FactorOptions, 'trustedBrowserDays' | 'https'> {
  readonly publicOrigins: ReadonlySet<string>;
  readonly features: Features;
  readonly findApplication: FlowOptions['findApplication'];
}
