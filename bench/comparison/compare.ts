import { setTimeout } from 'node:timers/promises';
import { loadSettings } from '../../src/ground/config/load.ts';
import type { Ask } from '../client.ts';
import {
  connections,
  type Disturbed,
  disturb,
  type Figures,
  measureStart,
  observe,
  type Runs,
  type Series as SeriesOf,
  type Start,
  startSenders,
  takeTurns,
} from '../measure.ts';
import type { Effort } from '../options.ts';
import { type Server, startClient, startServer } from '../processes.ts';
import { createWorkspace, password } from '../workspace.ts';
import {
  type Asks,
  type Contender,
  createContenders,
  type Name,
  names,
  type PeerTasks,
  signIn,
  usernames,
  type Work,
} from './contenders.ts';

export type Series<Result> = SeriesOf<Name, Result>;

/** Response times of a signed-in user's requests, in milliseconds, and the logins per second meanwhile. */
export interface Storm extends Omit<Disturbed<unknown>, 'during'> {
  readonly logins: number;
}

/** All results, for each kind of measurement, by contender and round. */
export interface Measured {
  readonly cookie: Series<Figures>;
  readonly token: Series<Figures>;
  readonly page: Series<Figures>;
  readonly login: Series<Figures>;
  readonly storm: Series<Storm>;
  readonly start: Series<Start>;
  /** Resident megabytes after the load. */
  readonly memory: Series<number>;
}

/** Number of clients that log in during a storm. More than are hashed at once, so some logins always wait. */
const stormConnections = 8;

/** Milliseconds between two requests of the reader. They are far enough apart to add little load. */
const readingInterval = 5;

/** Milliseconds to wait after the last request, while Node releases memory. */
const rest = 3000;

export async function compare(effort: Effort, hasPeers: boolean): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const contenders = await createContenders(stack, hasPeers);
  const served = await measureServed(contenders, effort);
  const starts = contenders
    .filter(({ works }) => works.includes('start'))
    .map(({ name, command }) => [name, () => measureStart(command)] as const);
  // All have run before, so the disk cache and Node's compile cache are filled.
  return { ...served, start: await takeTurns('start', Object.fromEntries(starts), effort.rounds, 0) };
}

interface Running extends Contender {
  readonly server: Server;
  readonly asks: Asks;
}

/** Measures running servers. They end before starts are measured, because starts need an idle machine. */
async function measureServed(contenders: readonly Contender[], effort: Effort): Promise<Omit<Measured, 'start'>> {
  await using stack = new AsyncDisposableStack();
  const running: Running[] = [];
  for (const contender of contenders) {
    if (contender.needsUsers) {
      await using seeding = await startServer<PeerTasks>(contender.command);
      await seeding.ask('addUsers', usernames, password);
    }
    const server = stack.use(await startServer(contender.command));
    running.push({ ...contender, server, asks: await signIn(server.port, contender.dialect) });
  }
  /** The runs of the servers that do this work, and of which the requests are known. */
  const runsOf = <Result>(work: Work, ask: keyof Asks, run: (running: Running, ask: Ask) => Promise<Result>) => {
    const runs: Runs<Name, Result> = {};
    for (const one of running) {
      const asked = one.asks[ask];
      if (one.works.includes(work) && asked !== undefined) runs[one.name] = () => run(one, asked);
    }
    return runs;
  };
  const { rounds, requests, logins, seconds } = effort;

  const senderFor = await startSenders(stack);
  const measureRequests = (what: string, work: 'cookie' | 'token' | 'page') => {
    const runs = runsOf(work, work, ({ server, storeServers }, ask) => {
      const { client, awake } = senderFor(storeServers);
      const load = { port: server.port, ...ask, connections, count: requests, seconds, awake };
      return observe(server, () => client.ask('send', load));
    });
    return takeTurns(what, runs, rounds);
  };
  const cookie = await measureRequests('who am I by cookie', 'cookie');
  const token = await measureRequests('who am I by token', 'token');
  const page = await measureRequests('the login page', 'page');

  const [sender, reader, hashing] = [stack.use(startClient()), stack.use(startClient()), stack.use(startClient())];
  const { passwordHash, settings } = await createWorkspace(1);
  const hashes = loadSettings({}, settings).HASHING_CONCURRENCY;
  const login = await takeTurns(
    'logins',
    {
      [names.argon2]: () =>
        observe(hashing, () => hashing.ask('hash', passwordHash, password, hashes, { count: logins, seconds })),
      ...runsOf('login', 'login', ({ server }, ask) =>
        observe(server, () => sender.ask('send', { port: server.port, ...ask, connections, count: logins, seconds })),
      ),
    } as Runs<Name, Figures>,
    rounds,
  );

  const storms = runsOf('storm', 'login', async ({ server: { port }, asks }, ask): Promise<Storm> => {
    const load = { port, ...ask, connections: stormConnections, count: 10_000, seconds };
    const pace = { interval: readingInterval, seconds };
    const { during, ...times } = await disturb(reader, port, asks.cookie, pace, () => sender.ask('send', load));
    return { ...times, logins: during.perSecond };
  });
  // The servers are warm by now.
  const storm = await takeTurns('requests during logins', storms, rounds, 0);

  await setTimeout(rest);
  const memories = runsOf('start', 'cookie', async ({ server }) => (await server.ask('usage')).resident / 1e6);
  const memory = await takeTurns('memory', memories, 1, 0);
  return { cookie, token, page, login, storm, memory };
}
