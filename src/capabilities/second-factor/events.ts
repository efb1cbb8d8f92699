import { factorNames } from '../../core/access/events.ts';
import { factorReasons, passkeyReasons } from '../../core/access/factor.ts';
import type { Events } from '../../core/audit/event.ts';
import type { CoreWith } from '../../core/core.ts';
import type { events as mailEvents } from '../../core/mail/events.ts';
import type { events as linkEvents } from '../../core/tokens/events.ts';
import type { Passkeys } from './passkeys.ts';

const refusedLogin = { vocabulary: 'authn_login_fail', by: 'anyone', level: 'warn', isLimitedByReason: true } as const;
const throttled = { vocabulary: 'excess_rate_limit_exceeded', by: 'anyone', level: 'warn' } as const;
const changed = { isChange: true, vocabulary: 'authn_password_change', by: 'account-holder', level: 'info' } as const;

export const events = {
  'second-factor-asked': {
    vocabulary: 'authn_login_success',
    by: 'account-holder',
    level: 'info',
    words: 'The password was right, and the account has a second factor: the login waits for it',
  },
  'second-factor-failed': {
    ...refusedLogin,
    words: 'The second step of a login was refused',
    reasons: {
      ...factorReasons,
      'login-over': {
        words: 'the login no longer waits: it expired, failed too often, was finished already, or the account changed',
        advice: 'Log in again.',
      },
    },
  },
  'second-factor-throttled': {
    ...throttled,
    words: 'A code was refused without checking it, because too many codes were wrong',
    advise: () => ['Wait, or janua throttle lift EMAIL.'],
  },
  'second-factor-stopped': {
    vocabulary: 'authn_login_lock',
    by: 'account-holder',
    level: 'warn',
    words: 'The account reached 100 wrong codes, and takes no more until an operator lifts it',
    advise: () => [
      'An attacker may know the password: janua users set-password EMAIL, then janua throttle lift EMAIL.',
    ],
  },
  'passkey-refused': {
    ...refusedLogin,
    words: 'The login by passkey was refused',
    reasons: {
      ...passkeyReasons,
      'void-passkey': {
        words: 'the user of the passkey is gone, or the id belongs to another person by now',
        advice: 'Sign in another way, and add a new passkey.',
      },
      'disabled-user': {
        words: 'the passkey was right, and the user is disabled',
        advice: 'To let the user in: janua users enable EMAIL.',
        adviceForOwnTable: 'To let the user in: enable the user in your own table of users.',
      },
      'changed-meanwhile': {
        words: 'the passkey was right, but it was removed, or the user was, before the session started',
        advice: 'Try again. janua audit --user EMAIL shows what was changed.',
      },
    },
  },
  'enrolment-demanded': {
    vocabulary: 'authn_login_fail',
    by: 'account-holder',
    level: 'info',
    words: 'The password was right, and the account has no second factor: the user has to add one first',
    advise: () => ['The link in the mail adds one. Without mail: janua users enrolment-link EMAIL.'],
  },
  'enrolment-link-made': {
    isChange: true,
    vocabulary: 'sensitive_create',
    by: 'operator',
    level: 'warn',
    words: 'The operator made a link by which the user adds a second factor',
  },
  'factor-added': {
    ...changed,
    isNeverRefused: true,
    words: 'The user added a second factor, which ended all other sessions',
    reasons: factorNames,
  },
  'factor-removed': {
    ...changed,
    isNeverRefused: true,
    level: 'warn',
    words: 'The user removed a second factor, which ended all other sessions',
    reasons: factorNames,
  },
  'factors-removed': {
    ...changed,
    by: 'operator',
    level: 'warn',
    words: 'The second factors of a user were removed, which ended all sessions',
  },
  'recovery-codes-renewed': {
    ...changed,
    isNeverRefused: true,
    words: 'The user got new recovery codes, which made the old ones void and ended all other sessions',
  },
  'browser-trusted': {
    ...changed,
    isNeverRefused: true,
    vocabulary: 'session_created',
    words: 'The user chose to trust the browser',
  },
  'trust-ended': {
    ...changed,
    isNeverRefused: true,
    vocabulary: 'session_expired',
    words: 'A browser is no longer trusted',
    reasons: {
      'by-its-user': {
        words: 'the user ended the trust',
        advice: 'Nothing, unless the user did not: then janua sessions revoke-all EMAIL.',
      },
      'too-many': {
        words: 'the user trusts as many browsers as an account may, and this was the oldest',
        advice:
          'Nothing, unless the user does not recognize so many logins: janua audit --user EMAIL shows where they came from.',
      },
    },
  },
} as const satisfies Events;

export interface FactorCore extends CoreWith<typeof events & typeof linkEvents & typeof mailEvents> {
  readonly passkeys: Passkeys;
}
