import type { Events } from '../audit/event.ts';

/** Why a credential is refused. */
export const credentialReasons = {
  'no-credential': {
    words: 'neither a session cookie nor an access token was sent',
    advice:
      'Nothing, where somebody had just not signed in yet. A browser that did and sends no cookie reached another host or scheme than PUBLIC_URL says.',
  },
  'dead-cookie': {
    words:
      'the session of the cookie has ended, by its time, by a logout, or because the user changed; or there never was such a session',
    advice:
      'Sign in again. janua audit --user EMAIL shows what ended it; SESSION_IDLE_SECONDS and SESSION_LIFETIME_SECONDS say when one ends by itself.',
  },
  'several-cookies': {
    words: 'more than one session cookie was sent, so that none counts: one of them may have been planted',
    advice:
      'Remove the cookies of this host in the browser. Look who else sets cookies of that name on the domain: with an HTTPS PUBLIC_URL nobody can.',
  },
  'invalid-token': {
    words: 'the access token is none, or its session has ended; where a token is sent, no cookie counts',
    advice:
      'Get a new token by logging in. Where a person cannot have sent one, look what adds an Authorization header.',
  },
  'several-authorization-headers': {
    words: 'more than one Authorization header was sent, so that none counts',
    advice: 'Look what adds the second one: the program itself, or a proxy before this server.',
  },
} as const;

export const events = {
  'login-succeeded': {
    vocabulary: 'authn_login_success',
    by: 'account-holder',
    level: 'info',
    words: 'Logged in: name and password were right, and a new session was started',
  },
  'access-refused': {
    vocabulary: 'authz_fail',
    by: 'anyone',
    level: 'info',
    words: 'Nobody was signed in, and the page or answer was not given',
    reasons: credentialReasons,
  },
} as const satisfies Events;
