import type { Events } from '../audit/event.ts';

export const events = {
  'mail-sent': {
    vocabulary: 'sensitive_create',
    by: 'account-holder',
    level: 'info',
    words: 'A mail was handed to the mail server',
  },
  'mail-not-sent': {
    vocabulary: 'sequence_fail',
    by: 'account-holder',
    level: 'warn',
    words: 'A mail was not sent',
    isLimitedByReason: true,
    reasons: {
      'no-account': {
        words: 'no account has that address. The response did not reveal that',
        advice: 'Check the address: janua users list.',
        adviceForOwnTable: 'Check the address in your own table of users.',
      },
      disabled: {
        words: 'the account is disabled',
        advice: 'To let the user in: janua users enable EMAIL.',
        adviceForOwnTable: 'To let the user in: enable the user in your own table of users.',
      },
      'too-many': {
        words:
          'there were too many requests for mail to that address, or from that client or network; the response did not tell',
        advice:
          'Wait an hour. If it was the same client each time, block it: janua audit --kind mail-not-sent shows it.',
      },
      'too-many-by-administrator': {
        words: 'an administrator had sent too many mails to that address, or too many in all; the response said so',
        advice: 'Wait a minute. After five mails to that address within an hour, wait an hour.',
      },
      'too-many-waiting': {
        words: 'so many mails waited that it was not added',
        advice: 'janua mail list and janua doctor show what waits.',
      },
      outdated: {
        words: 'the account had changed before it could be sent',
        advice: 'The user can ask for it again.',
      },
      'not-one-address': {
        words: 'its address is not exactly one mail address',
        advice: 'Correct the address of the account.',
      },
      expired: {
        words: 'it could not be sent in time',
        advice: 'janua mail list shows why. Correct the cause, then: janua mail retry.',
      },
      'refused-by-server': {
        words: 'the mail server refused it for good',
        advice: 'janua mail list shows the answer of the mail server. Correct the cause, then: janua mail retry.',
      },
    },
  },
  'mail-retried': {
    isChange: true,
    vocabulary: 'sensitive_update',
    by: 'operator',
    level: 'info',
    words: 'Mails that waited or were given up were sent again',
  },
  'mail-tested': {
    vocabulary: 'sensitive_create',
    by: 'operator',
    level: 'info',
    words: 'The operator sent a test mail',
    reasons: {
      failed: {
        words: 'the mail server did not take it',
        advice: 'janua mail test ADDRESS shows the answer of the mail server.',
      },
    },
  },
} as const satisfies Events;
