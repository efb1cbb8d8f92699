import type { UserReference } from '../core/changes/acting.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { administer } from './administer.ts';
import { list, minuteOf } from './list.ts';

interface Choice {
  readonly userId?: string;
}

export const listSessions = (username: string | undefined, { json, ...choice }: Choice & { json?: boolean }) =>
  administer('janua sessions list', async ({ administration }) =>
    list(await administration.listSessions(chosenUser(username, choice)), {
      json,
      none: 'There are no sessions.',
      heading: ['SESSION', 'STARTED (UTC)', 'LAST SEEN', 'ENDS UNLESS USED'],
      toRows: (sessions) =>
        sessions.map(({ id, startedAt, lastSeenAt, expiresAt }) => [
          id,
          ...[startedAt, lastSeenAt, expiresAt].map(minuteOf),
        ]),
    }),
  );

export const revokeSession = (id: string) =>
  administer('janua sessions revoke', async ({ administration }) => {
    await administration.endSession(id);
    return 'The session has ended.';
  });

export const revokeAllSessions = (
  username: string | undefined,
  { tokens = false, ...choice }: Choice & { tokens?: boolean },
) =>
  administer('janua sessions revoke-all', async ({ administration }) => {
    const count = await administration.endSessions(chosenUser(username, choice), { endsTokens: tokens });
    return count === 1 ? 'One session has ended.' : `${count} sessions have ended.`;
  });

function chosenUser(username: string | undefined, { userId }: Choice): UserReference {
  if (username !== undefined && userId === undefined) return { username };
  if (username === undefined && userId !== undefined) return { userId };
  throw new Misconfiguration('Name the user: an e-mail address, or --user-id for a user who no longer exists.');
}
