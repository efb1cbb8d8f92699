import type { Events } from '../audit/event.ts';

const factorReasons = {
  'wrong-code': {
    words: 'the code was wrong, or was used already',
    advice:
      'Compare the clock of the phone: codes are valid for 30 seconds. If the phone is lost: a recovery code, or janua users remove-factors EMAIL.',
  },
  'wrong-passkey': {
    words: 'the passkey could not be verified',
    advice: 'Try again. If the passkey is lost: another factor, or janua users remove-factors EMAIL.',
  },
  'login-over': {
    words:
      'the login no longer waits: it has expired, has failed too often, was finished already, or the account changed',
    advice: 'Log in again.',
  },
} as const;

export const events = {
  'second-factor-asked': {
    vocabulary: 'authn_login_success',
    by: 'account-holder',
    level: 'info',
    words: 'The password was right, and the account has a second factor: the login waits for it',
  },
  'second-factor-failed': {
    vocabulary: 'authn_login_fail',
    by: 'anyone',
    level: 'warn',
    words: 'The second step of a login was refused',
    isLimitedByReason: true,
    reasons: factorReasons,
  },
  'second-factor-throttled': {
    vocabulary: 'excess_rate_limit_exceeded',
    by: 'anyone',
    level: 'warn',
    words: 'The second step of a login was refused without checking it, because too many codes were wrong',
    advise: () => ['Wait, or janua throttle lift EMAIL.'],
  },
  'enrolment-demanded': {
    vocabulary: 'authn_login_fail',
    by: 'account-holder',
    level: 'info',
    words: 'The password was right, and the account has no second factor: the user has to add one first',
    advise: () => ['The link in the mail adds one. Without mail: janua users enrolment-link EMAIL.'],
  },
  'enrolment-link-made': {
    vocabulary: 'sensitive_create',
    by: 'operator',
    level: 'warn',
    words: 'The operator made a link by which the user adds a second factor',
  },
  'factor-added': {
    vocabulary: 'authn_password_change',
    by: 'account-holder',
    level: 'info',
    words: 'The user added a second factor, which ended all other sessions',
  },
  'factor-removed': {
    vocabulary: 'authn_password_change',
    by: 'account-holder',
    level: 'warn',
    words: 'The user removed a second factor, which ended all other sessions',
  },
  'factors-removed': {
    vocabulary: 'authn_password_change',
    by: 'operator',
    level: 'warn',
    words: 'The operator removed the second factors of a user, which ended all sessions',
  },
  'recovery-codes-renewed': {
    vocabulary: 'authn_password_change',
    by: 'account-holder',
    level: 'info',
    words: 'The user got new recovery codes, which made the old ones void',
  },
  'trust-ended': {
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'info',
    words: 'The user ended the trust in a browser',
  },
} as const satisfies Events;
