import type { PersonalToken } from './personal-tokens.ts';

/** Describes a personal access token for its owner and for administrators. */
export const describeToken = ({
  id,
  name,
  scopes,
  host,
  createdAt,
  expiresAt,
  lastUsedAt,
  lastUsedAddress,
}: PersonalToken) => ({
  id,
  name,
  scope: scopes.join(' '),
  host: host ?? null,
  created_at: createdAt.toISOString(),
  expires_at: expiresAt.toISOString(),
  last_used_at: lastUsedAt?.toISOString() ?? null,
  last_used_address: lastUsedAddress ?? null,
});
