import { credentialReasons } from '../access/events.ts';
import type { AuditEvent, Events } from '../audit/event.ts';
import { describeSeconds } from '../audit/explanation.ts';

export const events = {
  'login-failed': {
    vocabulary: 'authn_login_fail',
    by: 'anyone',
    level: 'warn',
    words: 'The login was refused',
    reasons: {
      'unknown-user': {
        words: 'there is no user of that name',
        advice:
          'Compare the name: janua audit --user NAME finds this event if NAME is what was typed. A new user: janua users add EMAIL.',
        adviceForOwnTable:
          'Compare the name: janua audit --user NAME finds this event if NAME is what was typed. A new user belongs into your own table of users.',
      },
      'wrong-password': {
        words: 'there is such a user, and the password was wrong',
        advice: 'If it is forgotten: janua users set-password EMAIL.',
        adviceForOwnTable: 'If it is forgotten: set a new one in your own table of users.',
      },
      'disabled-user': {
        words: 'name and password were right, and the user is disabled',
        advice: 'To let them in: janua users enable EMAIL.',
        adviceForOwnTable: 'To let them in: enable them in your own table of users.',
      },
      'changed-meanwhile': {
        words:
          'name and password were right at first, and the user was disabled, removed or given another password before the session had started',
        advice: 'Try again. janua audit --user EMAIL shows what was changed.',
      },
    },
  },
  'login-throttled': {
    vocabulary: 'excess_rate_limit_exceeded',
    by: 'anyone',
    level: 'warn',
    words: 'The login was refused before the password was looked at: too many had failed before it',
    advise: adviseOnThrottle,
  },
  'login-incomplete': {
    vocabulary: 'input_validation_fail',
    by: 'anyone',
    level: 'info',
    words: 'The login was refused, since it could not be one; no user was looked up',
    reasons: {
      incomplete: {
        words: 'name or password was missing, empty, sent twice, too long, or sent in the query',
        advice: 'Send both in the body, each once, as text, of at most 254 characters and 1024 bytes.',
      },
      'unsupported-grant-type': {
        words: 'another grant type was asked for',
        advice: 'Send grant_type=password, or none.',
      },
    },
  },
  'account-stopped': {
    vocabulary: 'authn_login_lock',
    by: 'anyone',
    level: 'warn',
    words: 'So many logins had failed that the account takes no more of them',
    advise: adviseOnThrottle,
  },
  'logged-out': {
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'info',
    words: 'Logged out: the session has ended, with its cookie and its access token',
  },
  'logout-refused': {
    vocabulary: 'authz_fail',
    by: 'anyone',
    level: 'info',
    words: 'There was no session to end',
    reasons: credentialReasons,
  },
} as const satisfies Events;

function adviseOnThrottle(
  { kind, throttle = [], caller: { address, trace } }: AuditEvent,
  ownTable: boolean,
): string[] {
  const blocking = throttle.filter(({ stopped, waitSeconds }) => stopped || waitSeconds > 0);
  const byAddress = blocking.some((key) => key.kind === 'address' || key.kind === 'pair');
  const wait = Math.max(0, ...blocking.map(({ waitSeconds }) => waitSeconds));
  const stopped = kind === 'account-stopped' || blocking.some((key) => key.stopped);
  const end = stopped
    ? `Nothing lets it in again by itself: ${ownTable ? 'a new password in your own table of users' : 'janua users set-password EMAIL'}, or janua throttle lift EMAIL.`
    : `Wait ${describeSeconds(wait)}, or janua throttle lift EMAIL.`;
  const lift = blocking.some((key) => key.kind === 'address') && address !== undefined;
  return [
    end,
    ...(lift ? [`For everybody at that address: janua throttle lift --address ${address}.`] : []),
    ...(byAddress && trace?.addressFrom === 'connection' && trace.forwardedFor !== undefined
      ? ['If the connection comes from your own proxy, name it in TRUSTED_PROXIES: else all its visitors count as one.']
      : []),
    ...(trace?.addressFrom === 'unknown'
      ? ['Make the trusted proxy send X-Forwarded-For with the address it sees.']
      : []),
  ];
}
