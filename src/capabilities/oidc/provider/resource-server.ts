import type { Resource } from '../resources/resources.ts';

/** Describes a resource in the terms of the library. A signed token lasts five minutes, because nobody can revoke it. */
export function describeServer({ uri, scopes, tokenFormat, alg }: Resource) {
  const isSigned = tokenFormat === 'jwt';
  return {
    scope: scopes.join(' '),
    audience: uri,
    accessTokenFormat: tokenFormat,
    accessTokenTTL: isSigned ? 300 : 3600,
    ...(isSigned && { jwt: { sign: { alg } } }),
  };
}
