import { loadSettings } from '../../src/config/load.ts';
import type { Effort } from '../options.ts';
import type { Argon2Tasks } from '../processes/argon2.ts';
import type { LoadTasks } from '../processes/load.ts';
import { startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { summarize } from '../statistics.ts';
import type { Row } from '../table.ts';
import type { Workspace } from '../workspace.ts';

const leastOfHashes = 0.85;

/** Logins that wait at the same time. */
export const loginConnections = 16;

/** Logins per second against hashes per second: what is left of the cores for the one costly thing that a login does. */
export async function measureLogins(workspace: Workspace, effort: Effort): Promise<Row[]> {
  const { passwordHash: hash, password, settings, loginRequests: requests } = workspace;
  const { logins: count, seconds } = effort;
  const concurrency = loadSettings({}, settings).HASHING_CONCURRENCY;
  await using load = startChild<LoadTasks>('./load.ts');
  await using argon2 = startChild<Argon2Tasks>('./argon2.ts');
  await using janua = startChild<ServerTasks>('./janua.ts', settings);
  const port = await janua.ask('port');

  const hashes: number[] = [];
  const logins: number[] = [];
  for (let round = -1; round < effort.rounds; round += 1) {
    const hashed = await argon2.ask('hash', { hash, password, concurrency, count, seconds });
    const { perSecond } = await load.ask('send', { port, requests, connections: loginConnections, count, seconds });
    // The first time is for warming up.
    if (round < 0) continue;
    hashes.push(hashed);
    logins.push(perSecond);
  }

  const alone = summarize(hashes);
  const summary = summarize(logins);
  const ratio = summary.median / alone.median;
  return [
    { what: `argon2 verify alone, ${concurrency} at a time`, unit: '/s', digits: 1, summary: alone, ratio: 1 },
    {
      what: `POST /api/login, ${loginConnections} at a time`,
      unit: '/s',
      digits: 1,
      summary,
      ratio,
      goal: { text: `at least ${leastOfHashes}`, met: ratio >= leastOfHashes },
    },
  ];
}
