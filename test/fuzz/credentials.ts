import type { StartedSession } from '../../src/core/sessions/sessions.ts';
import type { Document } from './document.ts';
import type { Field } from './request.ts';

/** Ways to present credentials, and their effect: sign the request in, only contain a good credential, or nothing. */
const kinds = {
  none: 'nothing',
  cookie: 'signs in',
  token: 'signs in',
  both: 'signs in',
  'dead cookie': 'nothing',
  'dead token': 'nothing',
  'dead token beside a good cookie': 'holds',
  'odd cookie': 'nothing',
  'odd token': 'nothing',
  'odd token beside a good cookie': 'holds',
  'two cookies': 'holds',
  'two fields': 'holds',
  'other scheme beside a good cookie': 'signs in',
  'cookie and token swapped': 'nothing',
} as const;

export type CredentialKind = keyof typeof kinds;

export const credentialKinds = Object.keys(kinds) as readonly CredentialKind[];

export const effectOf = (kind: CredentialKind): 'signs in' | 'holds' | 'nothing' => kinds[kind];

export interface Credentials {
  /** The fields with credentials of a kind. @param odd bytes in place of a credential @param signIn gives a session for good ones */
  present(kind: CredentialKind, odd: string, signIn: () => Promise<StartedSession>): Promise<Field[]>;
}

/**
 * Credentials for the security schemes of the document.
 * @param dead a session that has ended
 * @throws for an unknown scheme
 */
export function createCredentials({ securitySchemes }: Document['components'], dead: StartedSession): Credentials {
  let cookieName = '';
  for (const [name, scheme] of Object.entries(securitySchemes)) {
    if (scheme.type === 'apiKey' && scheme.in === 'cookie') cookieName = scheme.name ?? '';
    // Personal tokens are sent to each route in test/security/authorization.test.ts.
    else if (!['oauth2', 'http'].includes(scheme.type))
      throw new Error(`the security scheme ${name} needs its kinds of credentials in test/fuzz/credentials.ts`);
  }
  const cookie = (value: string): Field => ['Cookie', `${cookieName}=${value}`];
  const token = (value: string): Field => ['Authorization', `Bearer ${value}`];

  return {
    async present(kind, odd, signIn) {
      const good = /dead|odd|none/.test(kind) && !kind.includes('good') ? dead : await signIn();
      switch (kind) {
        case 'none':
          return [];
        case 'cookie':
          return [cookie(good.cookie)];
        case 'token':
          return [token(good.accessToken)];
        case 'both':
          return [cookie(good.cookie), token(good.accessToken)];
        case 'dead cookie':
          return [cookie(dead.cookie)];
        case 'dead token':
          return [token(dead.accessToken)];
        case 'dead token beside a good cookie':
          return [token(dead.accessToken), cookie(good.cookie)];
        case 'odd cookie':
          return [cookie(odd)];
        case 'odd token':
          return [token(odd)];
        case 'odd token beside a good cookie':
          return [cookie(good.cookie), token(odd)];
        case 'two cookies':
          return [['Cookie', `${cookieName}=${good.cookie}; ${cookieName}=${dead.cookie}`]];
        case 'two fields':
          return [token(good.accessToken), ['authorization', `Bearer ${good.accessToken}`]];
        case 'other scheme beside a good cookie':
          return [cookie(good.cookie), ['Authorization', 'Basic Og==']];
        case 'cookie and token swapped':
          return [cookie(good.accessToken), token(good.cookie)];
      }
    },
  };
}
