import { credentialReasons } from '../../core/access/events.ts';
import { factorReasons } from '../../core/access/factor.ts';
import type { Advice, AuditEvent, Events, KeyTrace } from '../../core/audit/event.ts';
import { describeSeconds } from '../../core/audit/explanation.ts';
import { endSiteOf } from '../../ground/text/networks.ts';

const refused = { vocabulary: 'authn_login_fail', level: 'warn' } as const;
const throttled = { vocabulary: 'excess_rate_limit_exceeded', level: 'warn', advise: adviseOnThrottle } as const;
const byOwner = { by: 'account-holder', level: 'info' } as const;

export const events = {
  'login-failed': {
    ...refused,
    by: 'anyone',
    words: 'The login was refused',
    isLimitedByReason: true,
    reasons: {
      'unknown-user': {
        words: 'no user has that name',
        advice:
          'Check the name: janua audit --user NAME finds this event if the user typed NAME. A new user: janua users add EMAIL.',
        adviceForOwnTable:
          'Check the name: janua audit --user NAME finds this event if the user typed NAME. Add new users to your own table of users.',
      },
      'wrong-password': {
        words: 'the password was wrong, and the user exists',
        advice: 'If the user forgot it: janua users set-password EMAIL.',
        adviceForOwnTable: 'If the user forgot it: set a new one in your own table of users.',
      },
      'disabled-user': {
        words: 'name and password were correct, and the user is disabled',
        advice: 'To let the user in: janua users enable EMAIL.',
        adviceForOwnTable: 'To let the user in: enable the user in your own table of users.',
      },
      'changed-meanwhile': {
        words:
          'name and password were correct, but the user was disabled, removed or given another password before the session started',
        advice: 'Try again. janua audit --user EMAIL shows what was changed.',
      },
    },
  },
  'login-throttled': {
    ...throttled,
    by: 'anyone',
    words: 'The login was refused without checking the password, because too many logins had failed',
  },
  'login-incomplete': {
    vocabulary: 'input_validation_fail',
    by: 'anyone',
    level: 'info',
    words: 'The login was refused, because the request was invalid; the server looked up no user',
    reasons: {
      incomplete: {
        words: 'name or password was missing, empty, sent twice, too long, or sent in the query',
        advice: 'Send both in the body, each once, as text, of at most 254 characters and 1024 bytes.',
      },
      'unsupported-grant-type': {
        words: 'the client requested another grant type',
        advice: 'Send grant_type=password, or none.',
      },
    },
  },
  'account-stopped': {
    ...throttled,
    vocabulary: 'authn_login_lock',
    by: 'anyone',
    words: 'The account accepts no more logins, because too many had failed',
  },
  confirmed: {
    ...byOwner,
    vocabulary: 'authn_login_success',
    words: 'The user of a session proved their identity again',
  },
  'confirm-failed': {
    ...refused,
    by: 'account-holder',
    words: 'The user of a session did not prove their identity again',
    reasons: {
      ...factorReasons,
      'wrong-password': {
        words: 'the password was wrong',
        advice:
          'If the user forgot it: janua users set-password EMAIL. If it was not the user: janua sessions revoke-all EMAIL.',
        adviceForOwnTable:
          'If the user forgot it: set a new one in your own table of users. If it was not the user: janua sessions revoke-all EMAIL.',
      },
      'changed-meanwhile': {
        words: 'the password was correct, but the user was given another one meanwhile',
        advice: 'Try again. janua audit --user EMAIL shows what was changed.',
      },
    },
  },
  'confirm-throttled': {
    ...throttled,
    by: 'account-holder',
    words: 'The proof of identity was refused without checking the password, because too many attempts had failed',
  },
  'confirm-required': {
    ...byOwner,
    vocabulary: 'authz_fail',
    words: 'The user has to prove their identity again first: the last proof was too long ago, or had no second factor',
    reasons: {
      'no-second-factor': {
        words: 'the account has no second factor',
        advice: 'The user adds one at /account/security.',
      },
    },
  },
  'logged-out': {
    ...byOwner,
    vocabulary: 'session_expired',
    words: 'The user logged out: the session ended, with its cookie and its access token',
  },
  'logout-refused': {
    vocabulary: 'authz_fail',
    by: 'anyone',
    level: 'info',
    words: 'The logout found no session to end',
    reasons: credentialReasons,
  },
} as const satisfies Events;

function adviseOnThrottle({ kind, throttle = [], caller }: AuditEvent, ownTable: boolean): Advice[] {
  const { address = 'unknown', trace } = caller;
  const blocking = throttle.filter(({ stopped, waitSeconds }) => stopped || waitSeconds > 0);
  const ofAddress = blocking.filter((key) => key.kind === 'address');
  const ofEndSite = blocking.filter((key) => key.kind === 'end-site');
  const ofUser = blocking.filter((key) => key.kind !== 'address' && key.kind !== 'end-site');
  const advice: Advice[] = [];
  if (kind === 'account-stopped' || ofUser.some((key) => key.stopped))
    advice.push(
      ownTable
        ? 'The block does not expire: a new password in your own table of users, or janua throttle lift EMAIL.'
        : 'The block does not expire: janua users set-password EMAIL, or janua throttle lift EMAIL.',
    );
  else if (ofUser.length > 0)
    advice.push(['Wait {time}, or janua throttle lift EMAIL.', { time: longestWait(ofUser) }]);
  for (const [keys, network] of [
    [ofAddress, address],
    [ofEndSite, endSiteOf(address)],
  ] as const)
    if (keys.length > 0)
      advice.push([
        'Wait {time}, or for all users at that address: janua throttle lift --address {address}.',
        { time: longestWait(keys), address: network },
      ]);
  const byAddress = ofAddress.length > 0 || ofUser.some((key) => key.kind === 'pair');
  if (byAddress && trace?.addressFrom === 'connection' && trace.forwardedFor !== undefined)
    advice.push(
      'If the connection comes from your own proxy, name the proxy in TRUSTED_PROXIES. Otherwise all its clients count as one.',
    );
  if (trace?.addressFrom === 'unknown')
    advice.push('Configure the trusted proxy to send X-Forwarded-For with the address that it sees.');
  return advice;
}

const longestWait = (keys: readonly KeyTrace[]) => describeSeconds(Math.max(...keys.map((key) => key.waitSeconds)));
