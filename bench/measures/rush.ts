import { loadSettings } from '../../src/ground/config/load.ts';
import { impatient, type Statuses } from '../client.ts';
import { getRequest, loginRequest } from '../http.ts';
import { disturb, takeTurns } from '../measure.ts';
import type { Effort } from '../options.ts';
import { januaWith, startClient, startServer } from '../processes.ts';
import { summarize } from '../statistics.ts';
import { describeCounts, type Table, yesOrNo } from '../table.ts';
import { createWorkspace, password } from '../workspace.ts';

/** Number of clients that log in at the same time. Each uses a new connection for each login. */
const senders = 200;

/** Milliseconds between two requests of the readers. They are far enough apart to add little load. */
const intervals = { me: 10, live: 50 } as const;

const mostTimesIdle = 5;
const mostLiveMilliseconds = 100;

/** Megabytes that a server may use: at rest, for each concurrent hash, and for connections with their responses. */
const budget = { rest: 110, hash: 20, connections: 60 } as const;

/** Statuses of a login: success, refused, throttled, and hashing queue full. */
const allowed = ['200', '400', '429', '503'];

/** Measures how 200 concurrent logins, with right and wrong passwords, affect a signed-in user's requests and the server's memory. */
export async function measureRush(effort: Effort): Promise<Table[]> {
  const { settings, me, logins } = await createWorkspace(64);
  await using stack = new AsyncDisposableStack();
  const [rushing, reader, other] = [stack.use(startClient()), stack.use(startClient()), stack.use(startClient())];
  await rushing.ask('yieldToOthers');
  const live = { requests: [getRequest('/health/live')], expected: '' };
  // Every other login has a wrong password.
  const requests = logins.map((login, index) =>
    index % 2 === 0 ? login : loginRequest(`user${index}@example.com`, `not ${password}`),
  );
  const seconds = 2 * effort.seconds;
  const mostMemory = budget.rest + budget.hash * loadSettings({}, {}).HASHING_CONCURRENCY + budget.connections;
  const lines: string[][] = [];
  for (const throttle of ['off', 'on']) {
    await using server = await startServer(januaWith({ ...settings, THROTTLE: throttle }));
    const { port } = server;
    const run = () =>
      disturb(reader, port, me, { interval: intervals.me, seconds }, () =>
        Promise.all([
          rushing.ask('rush', port, requests, senders, seconds),
          other.ask('read', port, live, intervals.live, seconds),
        ]),
      );
    const { rounds = [] } = await takeTurns(`THROTTLE=${throttle}`, { rounds: run }, effort.rounds);
    const idle = summarize(rounds.map(({ idleP99 }) => idleP99));
    const busy = summarize(rounds.map(({ p99 }) => p99));
    const slowest = summarize(rounds.map(({ during: [, times] }) => Math.max(...times)));
    const ratio = busy.median / idle.median;
    const statuses: Statuses = {};
    for (const [status, count] of rounds.flatMap(({ during: [counts] }) => Object.entries(counts)))
      statuses[status] = (statuses[status] ?? 0) + count;
    const isWell = Object.keys(statuses).every((status) => allowed.includes(status));
    const { mostResident } = await server.ask('usageAtRest');
    const range = ({ median, lowest, highest }: typeof idle) => [
      `${median.toFixed(1)} ms`,
      `${lowest.toFixed(1)} to ${highest.toFixed(1)}`,
    ];
    lines.push(
      [`THROTTLE=${throttle}: GET /api/me p99, idle`, ...range(idle), '1.00', '', ''],
      [
        ...['GET /api/me p99 while 200 clients log in', ...range(busy), ratio.toFixed(2)],
        ...[`at most ${mostTimesIdle.toFixed(1)}`, yesOrNo(ratio <= mostTimesIdle)],
      ],
      [
        ...['GET /health/live, slowest response during logins', ...range(slowest), ''],
        ...[`below ${mostLiveMilliseconds} ms`, yesOrNo(slowest.highest < mostLiveMilliseconds)],
      ],
      [
        ...['resident memory, peak', `${(mostResident / 1e6).toFixed(0)} MB`, '', ''],
        ...[`below ${mostMemory} MB`, yesOrNo(mostResident / 1e6 < mostMemory)],
      ],
      [`login responses: ${describeCounts(statuses)}`, ...['', '', '', `none ${impatient}`, yesOrNo(isWell)]],
    );
  }
  const heading = ['', 'median', 'lowest to highest', 'ratio', 'goal', 'met'];
  return [{ title: 'Beside 200 concurrent logins', lines: [heading, ...lines] }];
}
