import type { Events } from '../audit/event.ts';

export const events = {
  'user-added': { vocabulary: 'user_created', by: 'operator', level: 'info', words: 'A user was added' },
  'password-set': {
    vocabulary: 'authn_password_change',
    by: 'operator',
    level: 'info',
    words: 'A password was set, and the sessions of the user have ended',
  },
  'user-disabled': {
    vocabulary: 'user_archived',
    by: 'operator',
    level: 'info',
    words: 'A user was disabled, and their sessions have ended',
  },
  'user-enabled': { vocabulary: 'user_updated', by: 'operator', level: 'info', words: 'A user was enabled' },
  'user-removed': {
    vocabulary: 'user_deleted',
    by: 'operator',
    level: 'info',
    words: 'A user was removed, and their sessions have ended',
  },
} as const satisfies Events;
