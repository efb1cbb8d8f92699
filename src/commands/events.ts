import type { Events } from '../core/audit/event.ts';

export const events = {
  'throttle-lifted': {
    vocabulary: 'authn_login_lock',
    by: 'operator',
    level: 'info',
    words: 'Failures were cleared',
    reasons: { address: { words: 'address {value}' }, all: { words: 'all failures' } },
  },
  'key-replaced': {
    isChange: true,
    vocabulary: 'sensitive_update',
    by: 'operator',
    level: 'info',
    words: 'A key was replaced',
  },
} as const satisfies Events;
