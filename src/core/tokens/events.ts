import type { Events } from '../audit/event.ts';

export const events = {
  'link-refused': {
    vocabulary: 'authn_token_reuse',
    by: 'anyone',
    level: 'info',
    words: 'A link from a mail was refused, because it has expired, was used already, was withdrawn, or never existed',
    advise: () => ['Ask for a new link on the page that the user came from.'],
  },
} as const satisfies Events;
