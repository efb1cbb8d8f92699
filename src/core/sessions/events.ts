import type { Events } from '../audit/event.ts';

export const events = {
  'session-ended': {
    isNeverRefused: true,
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'info',
    words: 'A session was ended',
    reasons: {
      replaced: {
        words: 'a login presented it; each login ends the presented session and starts a new one',
        advice: 'Nothing. The event of that login has the same request id.',
      },
      'by-its-user': {
        words: 'the user ended it on the page that lists their sessions',
        advice: 'Nothing, unless the user did not: then janua sessions revoke-all EMAIL.',
      },
      'too-many': {
        words: 'the user had more sessions than SESSIONS_PER_USER, and this was the oldest',
        advice:
          'Nothing, unless the user does not recognize so many logins: janua audit --user EMAIL shows where they came from.',
      },
    },
  },
  // Only version 0.2 and older versions recorded this event. It stays here so that the audit log can still explain it.
  'other-sessions-ended': {
    isChange: true,
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'info',
    words: 'The user ended all their other sessions',
  },
  'session-end-refused': {
    vocabulary: 'authz_fail',
    by: 'account-holder',
    level: 'info',
    words: 'The user ended no session, because none of theirs has the id that was sent',
  },
  'sessions-ended': {
    isChange: true,
    isNeverRefused: true,
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'info',
    words: 'All sessions of a user were ended, and what applications, browsers and links could do without one',
    reasons: {
      'by-its-user': {
        words: 'the user did it, and stayed signed in where they did',
        advice: 'Nothing, unless the user did not: then janua sessions revoke-all EMAIL.',
      },
      'with-tokens': {
        words: 'the personal access tokens too',
        advice: 'Nothing. Programs of the user need new ones.',
      },
    },
  },
} as const satisfies Events;
