import type { Events } from '../audit/event.ts';

export const events = {
  'link-refused': {
    vocabulary: 'authn_token_reuse',
    by: 'anyone',
    level: 'info',
    words: 'A link was refused, because it has expired, was used already, was withdrawn, or never existed',
    reasons: {
      'for-many': {
        words:
          'it is a link by which users join, or the mail came by one: it is used up, has expired, was revoked, or its maker may no longer give its groups',
        advice:
          'janua invite-links list shows the uses and the end of each. If more users should join, make another one: janua invite-links add …',
      },
    },
    advise: () => ['Ask for a new link on the page that the user came from.'],
  },
} as const satisfies Events;
