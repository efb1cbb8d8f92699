import type { Events } from '../audit/event.ts';

const byOperator = { by: 'operator', level: 'info' } as const;
const changed = { ...byOperator, vocabulary: 'privilege_permissions_changed' } as const;

export const events = {
  'client-added': { ...changed, words: 'An application was added as a client' },
  'client-changed': { ...changed, words: 'The settings of a client were changed' },
  'client-secret-rotated': {
    ...byOperator,
    vocabulary: 'authn_token_created',
    words: 'A client got a new secret, and the old one stopped working',
  },
  'client-removed': { ...changed, words: 'A client was removed, which ended everything that it held' },
  'resource-added': { ...changed, words: 'A server was added that accepts access tokens' },
  'resource-removed': { ...changed, words: 'A server that accepts access tokens was removed' },
  'application-revoked': {
    by: 'account-holder',
    level: 'info',
    vocabulary: 'authn_token_revoked',
    words: 'The user took back what an application may have, which ended its tokens',
  },
} as const satisfies Events;
