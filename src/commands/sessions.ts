import { Misconfiguration } from '../faults/misconfiguration.ts';
import { jsonLine } from '../text/printable.ts';
import type { UserReference } from '../users/administration.ts';
import { administer } from './administer.ts';
import { formatTable } from './table.ts';

interface Choice {
  readonly userId?: string;
}

export const listSessions = (username: string | undefined, { json, ...choice }: Choice & { json?: boolean }) =>
  administer('janua sessions list', async (administration) => {
    const sessions = await administration.listSessions(whose(username, choice));
    if (json) return sessions.map(jsonLine).join('').trimEnd();
    if (sessions.length === 0) return 'There are no sessions.';
    const rows = sessions.map(({ id, startedAt, lastSeenAt, expiresAt }) => [
      id,
      ...[startedAt, lastSeenAt, expiresAt].map(minute),
    ]);
    return formatTable([['SESSION', 'STARTED (UTC)', 'LAST SEEN', 'ENDS UNLESS USED'], ...rows]);
  });

export const revokeSession = (id: string) =>
  administer('janua sessions revoke', async (administration) => {
    await administration.endSession(id);
    return 'The session has ended.';
  });

export const revokeAllSessions = (username: string | undefined, choice: Choice) =>
  administer('janua sessions revoke-all', async (administration) => {
    const count = await administration.endSessions(whose(username, choice));
    return count === 1 ? 'One session has ended.' : `${count} sessions have ended.`;
  });

function whose(username: string | undefined, { userId }: Choice): UserReference {
  if (username !== undefined && userId === undefined) return { username };
  if (username === undefined && userId !== undefined) return { userId };
  throw new Misconfiguration('Say whose: an e-mail address, or --user-id for someone who is no longer a user.');
}

const minute = (time: Date) => time.toISOString().slice(0, 16).replace('T', ' ');
