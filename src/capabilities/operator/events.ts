import type { Events } from '../../core/audit/event.ts';

export const events = {
  'operator-told': {
    vocabulary: 'sensitive_create',
    by: 'operator',
    level: 'warn',
    words: 'A mail to OPERATOR_MAIL was queued',
    reasons: {
      'mail-failed': {
        words: 'sending mail had failed for an hour or more',
        advice: 'janua mail list shows what waits.',
      },
      'administrator-added': {
        words: 'a user became an administrator',
        advice: 'janua audit --kind user-groups-changed shows who changed groups.',
      },
      'backup-failed': {
        words: 'a backup failed, or the last one is older than a day',
        advice: 'Run it, and correct what it reports: janua backup --keep 7 FOLDER.',
      },
      'audit-lost': {
        words: 'events of the audit could not be stored, or were left out',
        advice: 'The log of the server has them, or says how many were left out.',
      },
      'key-unreadable': {
        words: 'a key, or a secret in the database, could not be read',
        advice: 'janua doctor names the fault.',
      },
    },
  },
} as const satisfies Events;
