import type { Access } from '../../core/access/access.ts';
import type { Admit } from '../../core/access/admit.ts';
import type { RequireFresh } from '../../core/access/fresh-proof.ts';
import type { PersonalTokens } from '../../core/access/personal-tokens.ts';
import type { Audit } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/sql-store.ts';
import type { Changes } from '../../core/changes/change.ts';
import type { events as mailEvents } from '../../core/mail/events.ts';
import type { Outbox } from '../../core/mail/outbox.ts';
import type { RequestMail } from '../../core/mail/request-mail.ts';
import type { Passwords } from '../../core/passwords/passwords.ts';
import type { PasswordPolicy } from '../../core/passwords/policy.ts';
import type { events as sessionEvents } from '../../core/sessions/events.ts';
import type { Sessions } from '../../core/sessions/sessions.ts';
import type { Throttle } from '../../core/throttle/throttle.ts';
import type { events as linkEvents } from '../../core/tokens/events.ts';
import type { Tokens } from '../../core/tokens/tokens.ts';
import type { Hold, HoldNew } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { UserDirectory, UserRegistry } from '../../core/users/user-directory.ts';
import type { events } from './events.ts';

export interface AccountOptions extends Pick<Changes, 'change'> {
  readonly hold: Hold;
  readonly holdNew: HoldNew | undefined;
  readonly users: UserDirectory;
  /** The same directory, if this server may change it. */
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly tokens: Tokens;
  /** Undefined where no mail is sent. */
  readonly outbox: Outbox | undefined;
  readonly throttle: Throttle;
  readonly admit: Admit;
  readonly audit: Audit<
    keyof typeof events | keyof typeof linkEvents | keyof typeof mailEvents | keyof typeof sessionEvents
  >;
  readonly auditTrail: AuditStore;
  readonly personalTokens: PersonalTokens;
  /** The accounts of other providers that sign the user in. */
  readonly listIdentities: (user: User) => Promise<readonly LinkedIdentity[]>;
  /** What applications hold of the user. */
  readonly listApplications: (user: User) => Promise<readonly ConnectedApplication[]>;
  /** Domains of the addresses that may sign up. None means any. */
  readonly signUpDomains: readonly string[];
}

export interface ConnectedApplication {
  readonly clientId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly since: Date;
}

export interface LinkedIdentity {
  readonly upstream: string;
  readonly name: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date | undefined;
}

export interface MailingOptions extends AccountOptions {
  readonly outbox: Outbox;
  readonly requestMail: RequestMail;
}

export interface OwnOptions extends AccountOptions {
  readonly registry: UserRegistry;
  readonly holdNew: HoldNew;
}

export interface OwnFactors {
  readonly passkeys: readonly {
    readonly name: string;
    readonly createdAt: Date;
    readonly lastUsedAt: Date | undefined;
  }[];
  readonly totp: object | undefined;
  readonly recoveryCodesLeft: number;
  readonly trustedBrowsers: readonly { readonly userAgent: string; readonly trustedAt: Date }[];
}

/** Whether the forms ask for the present password. An account that another provider or a passkey signs in may have none. */
export const ownPassword = async ({ registry }: Pick<AccountOptions, 'registry'>, { id }: Pick<User, 'id'>) => ({
  hasPassword: registry === undefined || (await registry.findById(id))?.passwordHash !== undefined,
});

/** What the routes of accounts work with, besides the parts of `createAccountParts`. */
export interface AccountRouteParts
  extends Pick<AccountOptions, 'registry' | 'audit' | 'personalTokens' | 'change' | 'hold'> {
  readonly access: Access;
  readonly requireFresh: RequireFresh;
  readonly manageFactors: { list(user: User, stamp: string): Promise<OwnFactors> };
}
