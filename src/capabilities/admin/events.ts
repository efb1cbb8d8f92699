import type { Events } from '../../core/audit/event.ts';

export const events = {
  'audit-exported': {
    vocabulary: 'sensitive_read',
    by: 'operator',
    level: 'info',
    words: 'An administrator exported the events of the audit that match the filters',
  },
} as const satisfies Events;
