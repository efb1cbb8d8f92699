import type { Events } from '../audit/event.ts';

export const events = {
  'session-ended': {
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'info',
    words: 'A session was ended',
    reasons: {
      replaced: {
        words: 'somebody logged in who presented it: a login ends the session that came with it, and starts a new one',
        advice: 'Nothing. The login that goes with it has the same request id.',
      },
      'too-many': {
        words: 'the user had more sessions than SESSIONS_PER_USER, and it was the oldest',
        advice:
          'Nothing, unless the user knows nothing of so many logins: janua audit --user EMAIL shows where they came from.',
      },
    },
  },
  'sessions-ended': {
    vocabulary: 'session_expired',
    by: 'operator',
    level: 'info',
    words: 'All sessions of a user were ended',
  },
} as const satisfies Events;
