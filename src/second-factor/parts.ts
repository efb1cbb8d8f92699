import type { Admit } from '../access/admit.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Database } from '../database/database.ts';
import type { Cipher } from '../encryption/cipher.ts';
import type { events as mailEvents } from '../mail/events.ts';
import type { Outbox } from '../mail/outbox.ts';
import { createRequestMail } from '../mail/request-mail.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Throttle } from '../throttle/throttle.ts';
import type { events as linkEvents } from '../tokens/events.ts';
import { createLinks } from '../tokens/links.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Account } from '../users/account.ts';
import type { UserDirectory, UserRegistry } from '../users/user-directory.ts';
import { type CheckFactorOptions, createCheckFactor } from './check-factor.ts';
import { createDemand } from './demand.ts';
import { createEnrolment } from './enrolment.ts';
import type { events } from './events.ts';
import { createFactors } from './factors.ts';
import { createManageFactors } from './manage.ts';
import type { Passkeys } from './passkeys.ts';
import { createPendingLogins } from './pending-logins.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { createSecondFactor } from './second-step.ts';
import { createTotp } from './totp.ts';
import { createTrustedBrowsers } from './trusted-browsers.ts';

export interface FactorPartsOptions {
  readonly database: Database;
  readonly cipher: Cipher;
  /** Undefined where the host cannot have passkeys. */
  readonly passkeys: Passkeys | undefined;
  readonly users: UserDirectory;
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly throttle: Throttle;
  /** What wrong factors are counted by. */
  readonly limitsOf: CheckFactorOptions['limitsOf'];
  /** Undefined where no mail is sent. */
  readonly outbox: Outbox | undefined;
  readonly tokens: Tokens;
  readonly audit: Audit<keyof typeof events | keyof typeof linkEvents | keyof typeof mailEvents>;
  readonly appName: string;
  readonly trustedBrowserDays: number;
  /** Whether every account must have one. */
  readonly isRequired: boolean;
  /** Whether second factors are ignored. */
  readonly isOff: boolean;
  /** Forgets the wrong passwords before a login that a second factor has finished. */
  readonly clearPasswordFailures: (account: Account, knownBrowser: string | undefined, caller: Caller) => Promise<void>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What second factors are made of. `admit` needs the demand, and the second step needs `admit`. */
export function createFactorParts(options: FactorPartsOptions) {
  const { database, cipher, passkeys, registry, throttle, outbox, audit, appName, now } = options;
  const { trustedBrowserDays, isRequired, isOff } = options;
  const totp = createTotp({ database, cipher, appName, now });
  const recoveryCodes = createRecoveryCodes(database);
  const pendingLogins = createPendingLogins(database, now);
  const trustedBrowsers = createTrustedBrowsers(database, trustedBrowserDays, now);
  const factors = createFactors({ passkeys, totp, recoveryCodes, ownTable: registry === undefined, isOff });
  const checkFactor = createCheckFactor({ ...options, factors, totp, recoveryCodes });
  const shared = { ...options, totp, recoveryCodes, pendingLogins, trustedBrowsers, factors, checkFactor };
  const manageFactors = createManageFactors(shared);
  const requestMail = outbox && createRequestMail({ outbox, throttle, audit });
  const enrolment = createEnrolment({ ...shared, links: createLinks(options), manageFactors, requestMail });
  return {
    factors,
    checkFactor,
    demand: createDemand({ ...shared, demandEnrolment: isRequired ? enrolment.demand : undefined }),
    manageFactors,
    enrolment,
    createSecondFactor: (admit: Admit) => createSecondFactor({ ...shared, admit }),
    /** Removes at most `limit` expired records, and returns how many there were. */
    removeExpired: async (time: number, limit: number): Promise<number> =>
      Math.max(await pendingLogins.removeExpired(time, limit), await trustedBrowsers.removeExpired(time, limit)),
  };
}
