import type { Events } from '../../core/audit/event.ts';
import type { CoreWith } from '../../core/core.ts';
import type { Identities } from './identities.ts';
import type { Upstream } from './upstream.ts';

const byOwner = { by: 'account-holder', vocabulary: 'authn_password_change', level: 'info' } as const;

export const events = {
  'upstream-refused': {
    vocabulary: 'authn_login_fail',
    by: 'anyone',
    level: 'warn',
    words: 'A sign-in with another provider was refused',
    reasons: {
      over: {
        words: 'it has expired, was used already, began in another browser, or belongs to another provider or session',
        advice: 'Try again. If it happens each time: the browser must keep cookies, and use the host of PUBLIC_URL.',
      },
      denied: { words: 'the user or the provider cancelled it', advice: 'Try again, and agree there.' },
      'invalid-response': {
        words: 'the response of the provider was not valid; the log of the server says more (upstream_failed)',
        advice: 'Compare clientId, clientSecret and issuer or tenant with what the provider shows.',
      },
      unreachable: {
        words: 'the provider could not be reached, or answered with an error',
        advice: 'janua doctor and /admin/upstreams tell whether it can be reached.',
      },
      'not-linked': {
        words: 'no account is linked with that user, and SIGN_UP does not let it create one',
        advice: 'The user logs in another way and links it at /account/sign-in-methods. Or set SIGN_UP=on.',
      },
      'untrusted-address': {
        words: 'no account is linked with that user, and no trusted provider has verified the address',
        advice:
          'The user signs up by mail and links it at /account/sign-in-methods. If you trust the provider for the domain of the address: trustedDomains in UPSTREAMS_FILE.',
      },
      'other-domain': {
        words: 'no account is linked with that user, and SIGN_UP_DOMAINS does not have the domain of the address',
        advice: 'If users of the domain may create accounts: add it to SIGN_UP_DOMAINS.',
      },
      'too-many-accounts': {
        words: 'users of that identity, or of that network, have created too many accounts lately',
        advice: 'The user waits an hour. A user who creates and deletes accounts again and again is an attacker.',
      },
      'taken-address': {
        words: 'no account is linked with that user, and another account has the address',
        advice: 'The user logs in to that account another way and links it at /account/sign-in-methods.',
      },
      'linked-elsewhere': {
        words: 'the user wanted to link it, and it is linked with another account',
        advice: 'The user signs in with the provider, unlinks it at /account/sign-in-methods, and links it again.',
      },
      'not-own': {
        words: 'the user wanted to confirm that it is them, and it is not linked with the account',
        advice: 'The user confirms in another way, or chooses the linked account at the provider.',
      },
      'void-identity': {
        words: 'the account that it was linked with is gone',
        advice: 'The user logs in another way and links it at /account/sign-in-methods.',
      },
      'disabled-user': {
        words: 'the user is disabled',
        advice: 'To let the user in: janua users enable EMAIL.',
        adviceForOwnTable: 'To let the user in: enable the user in your own table of users.',
      },
      'changed-meanwhile': {
        words: 'the user was disabled or removed, or unlinked it, before the session started',
        advice: 'Try again. janua audit --user EMAIL shows what was changed.',
      },
    },
  },
  'identity-linked': {
    isChange: true,
    ...byOwner,
    words: 'A user of another provider was linked with the account',
    reasons: {
      'new-account': { words: 'the account was created with it', advice: 'Nothing, unless SIGN_UP should be off.' },
      'by-owner': {
        words: 'the user of the session did it',
        advice:
          'If it was not the user: janua sessions revoke-all EMAIL, and let them unlink it at /account/sign-in-methods.',
      },
    },
  },
  'address-verified-upstream': {
    isChange: true,
    isNeverRefused: true,
    by: 'account-holder',
    vocabulary: 'user_updated',
    level: 'info',
    words: 'Another provider, which is trusted for it, has verified the address of the user',
  },
  'identity-unlinked': {
    isChange: true,
    isNeverRefused: true,
    ...byOwner,
    words: 'A user of another provider was unlinked from the account',
    reasons: {
      'by-owner': { words: 'the user of the session did it' },
      'linked-anew': { words: 'another account was linked with it, and the user of this one is gone' },
    },
  },
} as const satisfies Events;

export interface UpstreamCore extends CoreWith<typeof events> {
  readonly upstreams: readonly Upstream[];
  readonly identities: Identities;
  /** Signing key of 32 bytes or more. */
  readonly key: Buffer;
}
