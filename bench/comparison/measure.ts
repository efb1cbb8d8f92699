import { setTimeout } from 'node:timers/promises';
import { loadSettings } from '../../src/ground/config/load.ts';
import { sendLogins } from '../measures/logins.ts';
import { type Figures, observe, type Sender, sendRequests, startSenders } from '../measures/requests.ts';
import { measureStart, type Start } from '../measures/start.ts';
import { measureStorm, type Storm, startStormClients } from '../measures/storm.ts';
import { takeTurns } from '../measures/turns.ts';
import type { Effort } from '../options.ts';
import type { Argon2Tasks } from '../processes/argon2.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { createWorkspace } from '../workspace.ts';
import { type Contender, createContenders, type Work } from './contenders.ts';
import { type Asks, signIn } from './credentials.ts';
import { type Name, names } from './names.ts';

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

export type Series<Result> = Readonly<Partial<Record<Name, readonly Result[]>>>;

/** Milliseconds to wait after the last request, while Node releases memory. */
const rest = 3000;

export async function compare(effort: Effort, hasPeers: boolean): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const contenders = await createContenders(stack, hasPeers);
  const served = await measureServed(contenders, effort);
  const starting = contenders.filter(({ works }) => works.includes('start'));
  const runs = starting.map(({ name, command }) => ({ name, run: () => measureStart(command) }));
  // All have run before, so the disk cache and Node's compile cache are filled.
  return { ...served, start: await inTurns('start', runs, effort.starts, 0) };
}

interface Running {
  readonly contender: Contender;
  readonly server: Child<ServerTasks>;
  readonly asks: Asks;
}

/** Measures running servers. They end before starts are measured, because starts need an idle machine. */
async function measureServed(contenders: readonly Contender[], effort: Effort): Promise<Omit<Measured, 'start'>> {
  await using stack = new AsyncDisposableStack();
  const senderFor = await startSenders(stack);
  const running: Running[] = [];
  for (const contender of contenders) {
    const server = stack.use(contender.start());
    const asks = await signIn(await server.ask('port'), contender.dialect, contender.users);
    running.push({ contender, server, asks });
  }
  const cookie = await measureRequests('cookie', running, senderFor, effort);
  const token = await measureRequests('token', running, senderFor, effort);
  const page = await measureRequests('page', running, senderFor, effort);
  const login = await measureLogins(running, effort);
  const storm = await measureStorms(running, effort);
  await setTimeout(rest);
  const memory = await measureMemory(running);
  return { cookie, token, page, login, storm, memory };
}

function measureRequests(
  work: 'cookie' | 'token' | 'page',
  running: readonly Running[],
  senderFor: (storeServers: number) => Sender,
  effort: Effort,
): Promise<Series<Figures>> {
  const runs = doing(work, running).flatMap(({ contender: { name, storeServers }, server, asks }) => {
    const ask = asks[work];
    return ask === undefined ? [] : [{ name, run: () => sendRequests(server, senderFor(storeServers), ask, effort) }];
  });
  return inTurns(work === 'page' ? 'the login page' : `who am I by ${work}`, runs, effort.rounds);
}

/** Measures logins and, in the same turns, argon2 alone. */
async function measureLogins(running: readonly Running[], effort: Effort): Promise<Series<Figures>> {
  const { passwordHash: hash, password, settings } = await createWorkspace(1);
  const concurrency = loadSettings({}, settings).HASHING_CONCURRENCY;
  await using load = startChild<LoadTasks>('./load.ts');
  await using argon2 = startChild<Argon2Tasks>('./argon2.ts');
  const hashing = { hash, password, concurrency, count: effort.logins, seconds: effort.seconds };
  const alone = { name: names.argon2, run: () => observe(argon2, () => argon2.ask('hash', hashing)) };
  const logins = doing('login', running).flatMap(({ contender: { name }, server, asks: { login } }) =>
    login === undefined ? [] : [{ name, run: () => sendLogins(server, load, login, effort) }],
  );
  return await inTurns('logins', [alone, ...logins], effort.rounds);
}

/** Needs no warm-up round, because the servers are warm by then. */
async function measureStorms(running: readonly Running[], effort: Effort): Promise<Series<Storm>> {
  await using clients = startStormClients();
  const runs = doing('storm', running).flatMap(({ contender: { name }, server, asks: { cookie, login } }) =>
    login === undefined ? [] : [{ name, run: () => measureStorm(server, clients, cookie, login, effort.stormSeconds) }],
  );
  return await inTurns('requests during logins', runs, effort.rounds, 0);
}

async function measureMemory(running: readonly Running[]): Promise<Series<number>> {
  const runs = doing('start', running).map(({ contender: { name }, server }) => {
    return { name, run: async () => (await server.ask('usage')).resident / 1e6 };
  });
  return await inTurns('memory', runs, 1, 0);
}

const doing = (work: Work, running: readonly Running[]) =>
  running.filter(({ contender }) => contender.works.includes(work));

/** @param what is measured, for the line on standard error that tells how far the bench is */
async function inTurns<Result>(
  what: string,
  runs: readonly { readonly name: Name; readonly run: () => Promise<Result> }[],
  rounds: number,
  warmUpRounds?: 0 | 1,
): Promise<Series<Result>> {
  const results = await takeTurns(
    runs.map(({ run }) => run),
    rounds,
    warmUpRounds,
    (index, round) => {
      const turn = round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`;
      process.stderr.write(`${what}, ${turn}: ${runs[index]?.name}\n`);
    },
  );
  return Object.fromEntries(runs.map(({ name }, index) => [name, results[index]]));
}
