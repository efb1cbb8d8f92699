import { textsIn } from '../../ground/languages/speech.ts';
import type { ListedSession } from '../sessions/sessions.ts';

/** Describes a session for programs. `user_agent` is for pages, which name the browser in their language. The JSON schemas omit it. */
export const describeSession = ({ id, userAgent, address, remembered, ...times }: ListedSession) => ({
  id,
  browser: textsIn('en').client(userAgent),
  user_agent: userAgent ?? null,
  address: address ?? null,
  started_at: times.startedAt,
  last_seen_at: times.lastSeenAt,
  expires_at: times.expiresAt,
  remembered,
});
