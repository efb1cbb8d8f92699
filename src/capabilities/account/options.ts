import type { Access } from '../../core/access/access.ts';
import type { Admit } from '../../core/access/admit.ts';
import type { PersonalTokens } from '../../core/access/personal-tokens.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/sql-store.ts';
import type { EndAddressLinks } from '../../core/changes/address-links.ts';
import type { Changes } from '../../core/changes/change.ts';
import type { events as mailEvents } from '../../core/mail/events.ts';
import type { Mailer } from '../../core/mail/mailer.ts';
import type { Outbox } from '../../core/mail/outbox.ts';
import type { Passwords } from '../../core/passwords/passwords.ts';
import type { PasswordPolicy } from '../../core/passwords/policy.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import type { events as sessionEvents } from '../../core/sessions/events.ts';
import type { Sessions } from '../../core/sessions/sessions.ts';
import type { Throttle } from '../../core/throttle/throttle.ts';
import type { events as linkEvents } from '../../core/tokens/events.ts';
import type { Tokens } from '../../core/tokens/tokens.ts';
import type { Hold, HoldNew } from '../../core/users/held.ts';
import type { LastLogins } from '../../core/users/last-logins.ts';
import type { User } from '../../core/users/user.ts';
import type { UserDirectory, UserRegistry } from '../../core/users/user-directory.ts';
import type { events } from './events.ts';

export interface AccountOptions
  extends Pick<Changes, 'change'>,
    Pick<JoinedPorts, 'listIdentities' | 'listApplications' | 'dataOf'>,
    Pick<LastLogins, 'findLastLogin'> {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly hold: Hold;
  readonly holdNew: HoldNew | undefined;
  readonly users: UserDirectory;
  /** Undefined with a team's own table, whose users Janua does not change. */
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly tokens: Tokens;
  readonly endAddressLinks: EndAddressLinks;
  /** Undefined where no mail is sent. */
  readonly outbox: Outbox | undefined;
  readonly throttle: Throttle;
  readonly admit: Admit;
  readonly audit: AuditOf<typeof events & typeof linkEvents & typeof mailEvents & typeof sessionEvents>;
  readonly auditTrail: AuditStore;
  readonly personalTokens: PersonalTokens;
  /** Whether strangers may sign up. */
  readonly signUp: boolean;
  /** Domains of the addresses that may sign up. None means any. */
  readonly signUpDomains: readonly string[];
}

export interface MailingOptions extends AccountOptions {
  readonly outbox: Outbox;
  readonly mailer: Mailer;
  readonly access: Pick<Access, 'findLiving'>;
}

export interface OwnOptions extends AccountOptions {
  readonly registry: UserRegistry;
  readonly holdNew: HoldNew;
}

/** Tells whether the forms ask for the present password. An account that another provider or a passkey signs in may have none. */
export const describeOwnPassword = async ({ users }: Pick<AccountOptions, 'users'>, { id }: Pick<User, 'id'>) => ({
  hasPassword: (await users.findById(id))?.passwordHash !== undefined,
});
