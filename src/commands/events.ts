import type { Events } from '../audit/event.ts';

/** What only commands do. */
export const events = {
  'throttle-lifted': {
    vocabulary: 'authn_login_lock',
    by: 'operator',
    level: 'info',
    words: 'What the throttle had counted was forgotten',
  },
  'key-replaced': { vocabulary: 'sensitive_update', by: 'operator', level: 'info', words: 'A key was replaced' },
} as const satisfies Events;
