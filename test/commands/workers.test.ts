import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readFigures, sumOf } from '../core/telemetry/figures.ts';
import { isLong } from '../long.ts';
import { missing } from '../servers/missing.ts';
import { readProcesses, running } from '../servers/process-tree.ts';
import { startProxy } from '../servers/proxy.ts';
import { createRedisDatabase } from '../servers/shared.ts';
import { openStores, type StoreChoice } from '../stores.ts';
import { createWorkplace, type Running, type Workplace } from './janua-command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Milliseconds within which a test has to end. */
const patience = 120_000;

/** Milliseconds between two requests of a client, so that the load leaves time for the servers. */
const pause = 50;

const secret = 'correct horse battery';
const username = 'ann@example.com';

/** A line of the log. */
interface Entry {
  readonly time: number;
  readonly pid: number;
  readonly msg: string;
  readonly event?: string;
  readonly worker?: number;
  readonly faults?: readonly string[];
  readonly seconds?: number;
}

interface Cluster {
  readonly url: string;
  readonly workplace: Workplace;
  readonly server: Running;
  /** The address of the metrics, if `METRICS_LISTEN` is set. */
  readonly figures: string;
  /** The log starts anew: a test sees nothing of the tests before. */
  begin(): void;
  readLog(): readonly Entry[];
  /** Waits until the log has this many lines of an event. */
  heard(event: string, count?: number): Promise<Entry[]>;
  workers(): number[];
}

type Settings = Readonly<Record<string, string>>;

const sqlite: Settings = { DATABASE_URL: 'sqlite:./janua.db' };

async function prepare(workplace: Workplace, settings: Settings): Promise<void> {
  await workplace.run(['migrate'], { env: settings });
  const added = await workplace.run(['users', 'add', username, '--first-name', 'A', '--last-name', 'B'], {
    env: settings,
    input: secret,
  });
  assert.equal(added.code, 0, added.stderr);
}

async function startCluster(workplace: Workplace, settings: Settings = {}): Promise<Cluster> {
  const server = await workplace.start(['serve'], { ...sqlite, WORKERS: '2', ...settings }, 3 * patience);
  let log: Entry[] = [];
  const lines = createInterface({ input: server.process.stdout });
  lines.on('line', (line) => log.push(JSON.parse(line)));
  return {
    url: server.url,
    workplace,
    server,
    figures: /"url":"([^"]+\/metrics)"/.exec(server.output)?.[1] ?? '',
    begin() {
      log = [];
    },
    readLog: () => log,
    async heard(event, count = 1) {
      for (;;) {
        const found = log.filter((entry) => entry.event === event);
        if (found.length >= count) return found;
        await once(lines, 'line');
      }
    },
    workers: () => childrenOf(server.process.pid),
  };
}

const childrenOf = (pid: number | undefined) =>
  readProcesses()
    .filter(({ parent, state }) => parent === pid && state !== 'Z')
    .map((entry) => entry.pid);

async function openCluster(settings: Settings = {}): Promise<Cluster & AsyncDisposable> {
  const workplace = await createWorkplace();
  await prepare(workplace, { ...sqlite, ...settings });
  const cluster = await startCluster(workplace, settings);
  return { ...cluster, [Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose]() };
}

/** Opens one cluster for all tests of a `describe`, which run one after another. Each leaves two workers. */
function shareCluster(open: () => Promise<Cluster & AsyncDisposable>): () => Cluster {
  let cluster: Cluster & AsyncDisposable;
  before(async () => {
    cluster = await open();
  });
  after(() => cluster[Symbol.asyncDispose]());
  return () => {
    cluster.begin();
    return cluster;
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** How a request is sent. */
interface Way {
  /** None by default: a new connection goes to the next worker in turn. */
  readonly agent?: Agent | false;
  /** A connection that was handed to a killed worker gets no answer and no end. */
  readonly signal?: AbortSignal;
}

async function ask(url: string, token?: string, way: Way = {}, body?: string): Promise<Answer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const sent = request(url, {
    agent: false,
    ...way,
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...authorization },
  });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  return { status: answer.statusCode, body: await text(answer) };
}

const credentials = new URLSearchParams({ username, password: secret }).toString();

async function logIn(url: string, way?: Way): Promise<string> {
  const { status, body } = await ask(`${url}/api/login`, undefined, way, credentials);
  assert.equal(status, 200, body);
  return JSON.parse(body).access_token;
}

const statusOf = async (url: string, token: string, way?: Way) => (await ask(`${url}/api/me`, token, way)).status;

/** The results that clients received. */
interface Told {
  readonly tokens: string[];
  readonly statuses: number[];
  readonly errors: string[];
}

/** Clients that run until `end()` or `cut()`, or until the end of the test. */
function startLoad(url: string) {
  const over = new AbortController();
  const cut = new AbortController();
  const told: Told = { tokens: [], statuses: [], errors: [] };
  const loading = load(url, over.signal, cut.signal, told);
  async function end(): Promise<Told> {
    over.abort();
    await loading;
    return told;
  }
  return {
    async toBeLost(count = 21) {
      const enough = told.statuses.length + count;
      while (told.errors.length === 0 && (told.tokens.length < 4 || told.statuses.length < enough))
        await setTimeout(pause);
    },
    end,
    /** Gives up the requests under way. */
    cut() {
      cut.abort();
      return end();
    },
    [Symbol.dispose]: () => cut.abort(),
  };
}

/** Two clients that log in and ask who they are. One keeps a connection, the other opens one for each request. */
async function load(url: string, over: AbortSignal, signal: AbortSignal, told: Told): Promise<void> {
  async function client(agent: Agent | false): Promise<void> {
    const way = { agent, signal };
    while (!over.aborted && !signal.aborted) {
      try {
        const token = await logIn(url, way);
        told.tokens.push(token);
        for (let look = 0; look < 8 && !over.aborted; look += 1) {
          told.statuses.push(await statusOf(url, token, way));
          await setTimeout(pause);
        }
      } catch (error) {
        told.errors.push(String(error));
      }
    }
    if (agent) agent.destroy();
  }
  await Promise.all([client(false), client(new Agent({ keepAlive: true, maxSockets: 1 }))]);
}

function assertNothingLost({ tokens, statuses, errors }: Told): void {
  assert.deepEqual(errors, []);
  assert.ok(tokens.length > 3 && statuses.length > 20, `too few requests for this test: ${statuses.length}`);
  assert.deepEqual(new Set(statuses), new Set([200]));
}

/** Waits until a server drains. */
async function toDrain(url: string): Promise<void> {
  while ((await ask(`${url}/health/ready`)).status !== 503) await setTimeout(pause);
}

async function expectShared(cluster: Cluster): Promise<void> {
  const token = await logIn(cluster.url);
  for (let look = 0; look < 8; look += 1) assert.equal(await statusOf(cluster.url, token), 200);
  const answering = cluster
    .readLog()
    .filter(({ msg }) => msg === 'request completed')
    .map(({ pid }) => pid);
  assert.deepEqual(new Set(answering), new Set(cluster.workers()));
  assert.equal(new Set(answering).size, 2);
  assert.equal((await ask(`${cluster.url}/api/logout`, token, {}, '')).status, 200);
  for (let look = 0; look < 4; look += 1) assert.equal(await statusOf(cluster.url, token), 401);
}

async function expectKept(cluster: Cluster): Promise<void> {
  using clients = startLoad(cluster.url);
  const [victim = 0, other] = cluster.workers();
  await clients.toBeLost();
  process.kill(victim, 'SIGKILL');
  const [end] = await cluster.heard('worker_ended');
  assert.deepEqual(end, { ...end, worker: victim, code: null, signal: 'SIGKILL' });
  await cluster.heard('worker_ready');
  const { tokens, statuses } = await clients.cut();
  assert.ok(tokens.length > 3);
  assert.deepEqual(new Set(statuses), new Set([200]));
  for (const token of tokens) assert.equal(await statusOf(cluster.url, token), 200);
  const now = cluster.workers();
  assert.ok(now.length === 2 && now.includes(other ?? 0) && !now.includes(victim));
}

describe('several workers', { concurrency: 3, timeout: 5 * patience }, () => {
  const choice: StoreChoice = { users: 'PostgreSQL', sessions: 'Redis' };
  const onServers = () => {
    const take = shareCluster(async () => {
      const stores = await openStores(choice);
      const cluster = await openCluster(stores.settings);
      return {
        ...cluster,
        async [Symbol.asyncDispose]() {
          await cluster[Symbol.asyncDispose]();
          await stores.drop();
        },
      };
    });
    test('both accept the same session, and a logout at one ends it at both', () => expectShared(take()));
    test('lose no acknowledged login when one is killed under load, and the primary replaces it', () =>
      expectKept(take()));
  };
  // Other tests show two processes on each pair of stores.
  if (isLong)
    describe(
      'two workers on PostgreSQL and Redis',
      {
        skip: missing(choice.users, choice.sessions),
        concurrency: 1,
      },
      onServers,
    );

  describe('two workers on SQLite', { concurrency: 1 }, () => {
    const take = shareCluster(() => openCluster({ METRICS_LISTEN: '0' }));

    test('both accept the same session, and a logout at one ends it at both', () => expectShared(take()));

    test('metrics add up all workers, replaced ones included', async () => {
      const cluster = take();
      const counted = async () => {
        const { body } = await ask(cluster.figures);
        const lines = body.matchAll(/^janua_http_requests_total\{.*route="\/health\/live".*\} (\d+)$/gm);
        return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
      };
      for (let look = 0; look < 6; look += 1) await ask(`${cluster.url}/health/live`);
      assert.equal(await counted(), 6);
      cluster.server.process.kill('SIGHUP');
      await cluster.heard('reloaded');
      assert.equal(await counted(), 6);
      await ask(`${cluster.url}/health/live`);
      assert.equal(await counted(), 7);
    });

    test('metrics cannot be read while a worker is frozen, and say when one is missing', async () => {
      const cluster = take();
      const processes = async () => {
        const { status, body } = await ask(cluster.figures);
        const figures = readFigures(body);
        return [status, sumOf(figures, 'janua_processes_answered'), sumOf(figures, 'janua_processes_expected')];
      };
      assert.deepEqual(await processes(), [200, 2, 2]);
      const [frozen = 0] = cluster.workers();
      process.kill(frozen, 'SIGSTOP');
      try {
        assert.equal((await ask(cluster.figures)).status, 500);
      } finally {
        process.kill(frozen, 'SIGCONT');
      }
      assert.deepEqual(await processes(), [200, 2, 2]);
      process.kill(frozen, 'SIGKILL');
      await cluster.heard('worker_ended');
      assert.deepEqual(await processes(), [200, 1, 2]);
      await cluster.heard('worker_ready');
    });

    test('lose no acknowledged login when one is killed under load, and the primary replaces it', () =>
      expectKept(take()));

    test('a killed worker loses only the connections on their way to it', async () => {
      const cluster = take();
      const [victim = 0] = cluster.workers();
      process.kill(victim, 'SIGSTOP');
      // Each worker gets one connection in turn. The stopped worker does not take its own.
      const lost = new AbortController();
      const asked = [1, 2].map(() => ask(`${cluster.url}/health/live`, undefined, { signal: lost.signal }));
      const settled = Promise.allSettled(asked);
      await Promise.any(asked);
      process.kill(victim, 'SIGKILL');
      await cluster.heard('worker_ended');
      for (let look = 0; look < 8; look += 1) assert.equal((await ask(`${cluster.url}/health/live`)).status, 200);
      await cluster.heard('worker_ready');
      assert.equal(cluster.workers().length, 2);
      lost.abort();
      assert.deepEqual((await settled).map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
    });

    test('the primary replaces workers that are all killed with connections on their way to them', async () => {
      const cluster = take();
      const old = cluster.workers();
      for (const worker of old) process.kill(worker, 'SIGSTOP');
      const lost = new AbortController();
      const asked = [1, 2, 3, 4].map(() => ask(`${cluster.url}/health/live`, undefined, { signal: lost.signal }));
      const settled = Promise.allSettled(asked);
      // The primary takes connections in their order.
      await ask(new URL('/', cluster.figures).href);
      for (const worker of old) process.kill(worker, 'SIGKILL');
      await cluster.heard('worker_ready', 2);
      assert.equal(cluster.workers().length, 2);
      lost.abort();
      assert.ok((await settled).every(({ status }) => status === 'rejected'));
    });

    test('no worker survives a kill of the primary', async () => {
      const cluster = take();
      const workers = cluster.workers();
      assert.equal(workers.length, 2);
      // The workers share its standard output, which ends only with the last of them.
      assert.equal(await cluster.server.stop('SIGKILL'), null);
      // A process closes its files just before its end.
      while (running(workers).length > 0) await setTimeout(pause);
    });
  });

  describe('two workers', { concurrency: 1 }, () => {
    const take = shareCluster(() => openCluster({ DRAIN_SECONDS: '300' }));

    test('the primary replaces failing workers ever more slowly, and succeeds when the fault is gone', async () => {
      const cluster = take();
      const file = join(cluster.workplace.folder, 'janua.db');
      await rename(file, `${file}.away`);
      process.kill(cluster.workers()[0] ?? 0, 'SIGKILL');
      const ends = await cluster.heard('worker_ended', 3);
      assert.deepEqual(
        ends.map(({ faults }) => faults),
        [[], ...Array(2).fill(['DATABASE_URL: there is no such file yet. Run: ./bin/janua migrate'])],
      );
      await cluster.heard('worker_replacement', 2);
      const paced = cluster
        .readLog()
        .flatMap(({ event = '', seconds }) => (event.startsWith('worker_') ? [[event, seconds]] : []));
      const [end, pause] = ['worker_ended', 'worker_replacement'];
      assert.deepEqual(paced, [
        [end, undefined],
        [end, undefined],
        [pause, 1],
        [end, undefined],
        [pause, 2],
      ]);
      await rename(`${file}.away`, file);
      await cluster.heard('worker_ready');
      assert.equal(cluster.workers().length, 2);
    });

    test('SIGTERM under load loses no request, and a second SIGTERM ends the drain and all workers', async () => {
      const cluster = take();
      using clients = startLoad(cluster.url);
      await clients.toBeLost();
      const workers = cluster.workers();
      const ended = cluster.server.stop();
      await toDrain(cluster.url);
      await clients.toBeLost(4);
      assertNothingLost(await clients.end());
      cluster.server.process.kill('SIGTERM');
      assert.equal(await ended, 0);
      assert.deepEqual(running(workers), []);
    });
  });

  describe('a reload', { concurrency: 1 }, () => {
    const take = shareCluster(() => openCluster({ DRAIN_SECONDS: '6' }));

    test('two reloads under load replace all workers, stay ready and lose no request', async () => {
      const cluster = take();
      using clients = startLoad(cluster.url);
      const readiness: number[] = [];
      let isOver = false;
      const watching = (async () => {
        for (; !isOver; await setTimeout(pause)) readiness.push((await ask(`${cluster.url}/health/ready`)).status);
      })();
      const old = cluster.workers();
      cluster.server.process.kill('SIGHUP');
      await cluster.heard('reload');
      // Both signals together queue one more reload.
      cluster.server.process.kill('SIGHUP');
      cluster.server.process.kill('SIGHUP');
      await cluster.heard('reloaded', 2);
      const fresh = cluster.workers();
      assertNothingLost(await clients.end());
      isOver = true;
      await watching;
      assert.deepEqual(new Set(readiness), new Set([200]));
      assert.equal(fresh.length, 2);
      assert.deepEqual(running(old), []);
      const log = cluster.readLog();
      assert.equal(log.filter(({ event }) => event === 'reload').length, 2);
      assert.equal(log.filter(({ event }) => event === 'worker_ready').length, 4);
    });

    test('SIGTERM during a reload ends all workers in order, and the log has no `reloaded`', async () => {
      const cluster = take();
      cluster.server.process.kill('SIGHUP');
      await cluster.heard('worker_ready');
      // The first worker is replaced, and drains.
      assert.equal(await cluster.server.stop(), 0);
      const events = cluster.readLog().flatMap(({ event = '' }) => (/^(?:reload|worker)/.test(event) ? event : []));
      assert.deepEqual(events, ['reload', 'worker_ready']);
    });
  });

  test('SIGHUP loads the current code from the disk, and keeps the old code if the new code does not start', async () => {
    await mkdir(`${root}.tmp`, { recursive: true });
    const copy = await mkdtemp(`${root}.tmp/workers-`);
    try {
      await cp(`${root}src`, `${copy}/src`, { recursive: true });
      await cp(`${root}package.json`, `${copy}/package.json`);
      await using workplace = await createWorkplace(`${copy}/src/cli.ts`);
      await prepare(workplace, sqlite);
      const cluster = await startCluster(workplace);
      const route = `${copy}/src/capabilities/sign-in/log-out.routes.ts`;
      const code = await readFile(route, 'utf8');
      const logOut = async () => (await ask(`${cluster.url}/api/logout`, await logIn(cluster.url), {}, '')).body;

      await writeFile(route, 'this is no TypeScript');
      cluster.server.process.kill('SIGHUP');
      await cluster.heard('reload_failed');
      assert.match(await logOut(), /Logged out/);

      await writeFile(route, code.replaceAll('Logged out', 'Out you are'));
      cluster.server.process.kill('SIGHUP');
      await cluster.heard('reloaded');
      for (let time = 0; time < 3; time += 1) assert.match(await logOut(), /Out you are/);
      assert.equal(cluster.workers().length, 2);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });

  describe('two workers on a Redis behind a proxy', { skip: missing('Redis'), concurrency: 1 }, () => {
    let proxy: Awaited<ReturnType<typeof startProxy>>;
    const take = shareCluster(async () => {
      const database = await createRedisDatabase();
      const address = new URL(database.url);
      proxy = await startProxy(Number(address.port));
      address.port = String(proxy.port);
      const cluster = await openCluster({ REDIS_URL: address.href, STORE_TIMEOUT_SECONDS: '3' });
      return {
        ...cluster,
        async [Symbol.asyncDispose]() {
          await cluster[Symbol.asyncDispose]();
          await proxy[Symbol.asyncDispose]();
          await database.drop();
        },
      };
    });

    test('a worker that ends while its successor waits for a store is replaced after the reload fails', async () => {
      const cluster = take();
      const old = cluster.workers();
      proxy.hold();
      cluster.server.process.kill('SIGHUP');
      while (cluster.workers().length < 3) await setTimeout(pause);
      process.kill(old[0] ?? 0, 'SIGKILL');
      await cluster.heard('reload_failed');
      proxy.pass();
      await cluster.heard('worker_ready');
      assert.equal(cluster.workers().length, 2);
    });

    test('the primary gives up on a replacement that hangs, and starts another', async () => {
      const cluster = take();
      const old = cluster.workers();
      process.kill(old[0] ?? 0, 'SIGKILL');
      await cluster.heard('worker_ended');
      while (cluster.workers().length < 2) await setTimeout(pause);
      const [replacement = 0] = cluster.workers().filter((pid) => !old.includes(pid));
      process.kill(replacement, 'SIGSTOP');
      await cluster.heard('worker_ended', 2);
      await cluster.heard('worker_ready');
      assert.equal(cluster.workers().length, 2);
      assert.equal(await cluster.server.stop(), 0);
    });
  });

  describe('several workers report a fault once and leave no process', () => {
    for (const [name, env, line] of [
      ['missing tables', {}, /^DATABASE_URL: there is no such file yet\. Run: \.\/bin\/janua migrate\n$/],
      ['a wrong setting', { WORKERS: '0' }, /^WORKERS must be a whole number from 1 to 64\.\n$/],
    ] as const) {
      test(name, async () => {
        await using workplace = await createWorkplace();
        const settings = { ...sqlite, WORKERS: '3', PORT: '0', ...env };
        const { code, stdout, stderr } = await workplace.run(['serve'], { env: settings, alone: true });
        assert.equal(code, 2, stderr);
        assert.match(stderr, line);
        assert.equal(stdout, '');
      });
    }

    test('a busy port', async () => {
      await using workplace = await createWorkplace();
      await prepare(workplace, sqlite);
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const address = other.address();
      const PORT = String(typeof address === 'object' ? address?.port : '');
      const { code, stderr } = await workplace.run(['serve'], { env: { ...sqlite, WORKERS: '3', PORT }, alone: true });
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`^Port ${PORT} is in use already\\..*\n$`));
      other.close();
    });

    test('the demo with several workers', async () => {
      await using workplace = await createWorkplace();
      const { code, stderr } = await workplace.run(['demo'], { env: { WORKERS: '2' } });
      assert.equal(code, 2);
      assert.match(stderr, /^The demo is one process\. .*\n$/);
    });
  });

  test('the launcher passes on SIGHUP, and Ctrl+C counts as one signal although every process gets it', async () => {
    await using workplace = await createWorkplace();
    const settings = { ...sqlite, WORKERS: '2', PORT: '0', DRAIN_SECONDS: '300' };
    await prepare(workplace, settings);
    const { PATH = '' } = process.env;
    const launcher = spawn(process.execPath, [join(root, 'bin/janua.mjs'), 'serve'], {
      cwd: workplace.folder,
      // The launcher stays below npm only.
      env: { PATH, npm_command: 'run', ...settings },
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: patience,
    });
    const group = launcher.pid ?? 0;
    let url = '';
    let interrupted: Promise<void> | undefined;
    for await (const line of createInterface({ input: launcher.stdout })) {
      const { msg, port, event } = JSON.parse(line);
      if (msg === 'ready') {
        url = `http://127.0.0.1:${port}`;
        launcher.kill('SIGHUP');
      }
      if (event === 'reload') interrupted = interrupt();
    }
    async function interrupt(): Promise<void> {
      process.kill(-group, 'SIGINT');
      await toDrain(url);
      // A second signal would end the drain.
      for (let look = 0; look < 20; look += 1) assert.equal((await ask(`${url}/health/ready`)).status, 503);
      launcher.kill('SIGTERM');
    }
    if (launcher.exitCode === null) await once(launcher, 'exit');
    assert.equal(launcher.exitCode, 0);
    assert.ok(interrupted);
    await interrupted;
  });
});
