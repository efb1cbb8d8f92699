import type { PersonalToken } from './personal-tokens.ts';

/** A personal access token as its owner and administrators see it. */
export const describeToken = ({
  id,
  name,
  scopes,
  createdAt,
  expiresAt,
  lastUsedAt,
  lastUsedAddress,
}: PersonalToken) => ({
  id,
  name,
  scope: scopes.join(' '),
  created_at: createdAt.toISOString(),
  expires_at: expiresAt.toISOString(),
  last_used_at: lastUsedAt?.toISOString() ?? null,
  last_used_address: lastUsedAddress ?? null,
});
