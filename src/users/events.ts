import type { Events } from '../audit/event.ts';

export const events = {
  'user-added': { vocabulary: 'user_created', by: 'operator', level: 'info', words: 'The operator added a user' },
  'user-invited': {
    vocabulary: 'user_created',
    by: 'operator',
    level: 'info',
    words: 'An administrator added a user, who chooses a password by a link',
  },
  'reset-sent': {
    vocabulary: 'authn_password_change',
    by: 'operator',
    level: 'info',
    words: 'An administrator had a link mailed to a user, which sets a new password',
  },
  'users-imported': {
    vocabulary: 'user_created',
    by: 'operator',
    level: 'info',
    words: 'The operator imported users',
  },
  'users-exported': {
    vocabulary: 'sensitive_read',
    by: 'operator',
    level: 'warn',
    words: 'The operator exported the users',
  },
  'password-set': {
    vocabulary: 'authn_password_change',
    by: 'operator',
    level: 'info',
    words: 'The operator set a password, which ended the sessions of the user',
  },
  'user-disabled': {
    vocabulary: 'user_archived',
    by: 'operator',
    level: 'info',
    words: 'The operator disabled a user, which ended their sessions',
  },
  'user-enabled': { vocabulary: 'user_updated', by: 'operator', level: 'info', words: 'The operator enabled a user' },
  'user-removed': {
    vocabulary: 'user_deleted',
    by: 'operator',
    level: 'info',
    words: 'The operator removed a user, which ended their sessions',
  },
  'user-groups-changed': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'info',
    words: 'The groups of a user were changed',
  },
  'group-added': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'info',
    words: 'A group was added',
  },
  'group-changed': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'info',
    words: 'The scopes of a group were changed',
  },
  'group-removed': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'info',
    words: 'A group was removed, and nobody is in it any more',
  },
} as const satisfies Events;
