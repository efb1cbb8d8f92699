import type { Admit } from '../access/admit.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditStore } from '../audit/sql-store.ts';
import type { Database } from '../database/database.ts';
import type { events as mailEvents } from '../mail/events.ts';
import type { Outbox } from '../mail/outbox.ts';
import { createRequestMail } from '../mail/request-mail.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { PasswordPolicy } from '../passwords/policy.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { canonicalDomain } from '../text/mail-address.ts';
import type { Throttle } from '../throttle/throttle.ts';
import type { events as linkEvents } from '../tokens/events.ts';
import { createLinks } from '../tokens/links.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { User } from '../users/user.ts';
import type { UserDirectory, UserRegistry } from '../users/user-directory.ts';
import { createDeleteAccount } from './deletion.ts';
import { createChangeEmail } from './email.ts';
import type { events } from './events.ts';
import { createExportAccount } from './export.ts';
import { createChangePassword, createSetPassword } from './password.ts';
import { createResetPassword } from './reset-password.ts';
import { createOwnSessions } from './sessions.ts';
import { createSignUp } from './sign-up.ts';

export interface AccountOptions {
  readonly database: Database;
  readonly users: UserDirectory;
  /** The same directory if this server may change it. */
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
  /** Forgets the failed logins of a user. */
  readonly liftFailures: (user: User) => Promise<unknown>;
  /** Domains of the addresses that may sign up. */
  readonly signUpDomains: readonly string[];
}

/** What users manage themselves. Parts that need mail or our own table of users are undefined without. */
export function createAccountParts(options: AccountOptions) {
  const { registry, outbox, throttle, audit, signUpDomains } = options;
  const links = createLinks(options);
  const setPassword = createSetPassword(options);
  const requestMail = outbox && createRequestMail({ outbox, throttle, audit });
  const shared = { ...options, links, setPassword };
  const domains = signUpDomains.map(canonicalDomain);
  return {
    ownSessions: createOwnSessions(options),
    changePassword: createChangePassword(shared),
    exportAccount: createExportAccount(options),
    deleteAccount: registry && createDeleteAccount({ ...options, registry }),
    resetPassword: requestMail && createResetPassword({ ...shared, requestMail }),
    signUp: registry && requestMail && createSignUp({ ...shared, registry, requestMail, domains }),
    changeEmail: registry && outbox && requestMail && createChangeEmail({ ...shared, registry, outbox, requestMail }),
  };
}
