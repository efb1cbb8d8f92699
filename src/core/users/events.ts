import type { Events } from '../audit/event.ts';

export const events = {
  'user-added': { vocabulary: 'user_created', by: 'operator', level: 'info', words: 'A user was added' },
  'user-invited': {
    vocabulary: 'user_created',
    by: 'operator',
    level: 'info',
    words: 'A user was invited, and chooses a password by a link',
    reasons: {
      again: { words: 'again, because the address was corrected' },
      repeated: { words: 'again, because an administrator wanted it' },
    },
  },
  'reset-sent': {
    vocabulary: 'authn_password_change',
    by: 'operator',
    level: 'info',
    words: 'A mail with a link that sets a new password was queued for a user',
  },
  'users-imported': {
    vocabulary: 'user_created',
    by: 'operator',
    level: 'info',
    words: 'Users were imported',
  },
  'users-exported': {
    vocabulary: 'sensitive_read',
    by: 'operator',
    level: 'warn',
    words: 'The users were exported',
  },
  'password-set': {
    vocabulary: 'authn_password_change',
    by: 'operator',
    level: 'info',
    words: 'A password was set, which ended the sessions of the user',
  },
  'address-verified': {
    vocabulary: 'user_updated',
    by: 'operator',
    level: 'warn',
    words: 'An operator or a member of admins verified the address of a user',
    advise: () => ['Applications link accounts by it. If it is not the one of the user, disable the user.'],
  },
  'user-renamed': {
    vocabulary: 'user_updated',
    by: 'operator',
    level: 'info',
    words: 'The name of a user was corrected',
  },
  'user-email-link-sent': {
    vocabulary: 'user_updated',
    by: 'operator',
    level: 'info',
    words: 'A user was offered another address: a link goes to the new one, a notice to the old one',
  },
  'user-email-changed': {
    vocabulary: 'user_updated',
    by: 'operator',
    level: 'warn',
    words: 'A member of admins changed the address of a user, which ended their sessions',
    advise: () => ['Applications link accounts by it. If it is not the one of the user, disable the user.'],
  },
  'user-disabled': {
    vocabulary: 'user_archived',
    by: 'operator',
    level: 'info',
    words: 'A user was disabled, which ended their sessions',
  },
  'user-enabled': { vocabulary: 'user_updated', by: 'operator', level: 'info', words: 'A user was enabled' },
  'user-removed': {
    vocabulary: 'user_deleted',
    by: 'operator',
    level: 'info',
    words: 'A user was removed, which ended their sessions',
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
  'group-factor-demanded': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'info',
    words: 'A group demands a second factor of its users from then on',
  },
  'group-factor-optional': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'warn',
    words: 'A group no longer demands a second factor of its users',
  },
  'group-removed': {
    vocabulary: 'privilege_permissions_changed',
    by: 'operator',
    level: 'info',
    words: 'A group was removed, with its memberships',
  },
} as const satisfies Events;
