import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readFigures, sumOf } from '../core/telemetry/figures.ts';
import { missing } from '../servers/missing.ts';
import { readProcesses, running } from '../servers/process-tree.ts';
import { startProxy } from '../servers/proxy.ts';
import { createRedisDatabase } from '../servers/shared.ts';
import { openStores, type StoreChoice } from '../stores.ts';
import { createWorkplace, type Running, type Workplace } from './janua-command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

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
}

interface Cluster {
  readonly url: string;
  readonly workplace: Workplace;
  readonly server: Running;
  readonly log: readonly Entry[];
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
  const server = await workplace.start(['serve'], { ...sqlite, WORKERS: '2', ...settings });
  const log: Entry[] = [];
  const lines = createInterface({ input: server.process.stdout });
  lines.on('line', (line) => log.push(JSON.parse(line)));
  return {
    url: server.url,
    workplace,
    server,
    log,
    async heard(event, count = 1) {
      const signal = AbortSignal.timeout(45_000);
      for (;;) {
        const found = log.filter((entry) => entry.event === event);
        if (found.length >= count) return found;
        await once(lines, 'line', { signal });
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

/** Opens a cluster with metrics, and gives their address. */
async function openMeasuredCluster(): Promise<Cluster & AsyncDisposable & { readonly figures: string }> {
  const cluster = await openCluster({ METRICS_LISTEN: '0' });
  const [, figures = ''] = /"url":"([^"]+\/metrics)"/.exec(cluster.server.output) ?? [];
  return { ...cluster, figures };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** @param agent false for a new connection, which goes to the next worker in turn */
async function ask(url: string, token?: string, agent: Agent | false = false, body?: string): Promise<Answer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const sent = request(url, {
    agent,
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...authorization },
    signal: AbortSignal.timeout(10_000),
  });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  return { status: answer.statusCode, body: await text(answer) };
}

const credentials = new URLSearchParams({ username, password: secret }).toString();

async function logIn(url: string, agent: Agent | false = false): Promise<string> {
  const { status, body } = await ask(`${url}/api/login`, undefined, agent, credentials);
  assert.equal(status, 200, body);
  return JSON.parse(body).access_token;
}

const statusOf = async (url: string, token: string, agent?: Agent | false) =>
  (await ask(`${url}/api/me`, token, agent)).status;

/** The results that clients received. */
interface Told {
  readonly tokens: string[];
  readonly statuses: number[];
  readonly errors: string[];
}

/** Clients that run until `end()`, or until the end of the test. */
function startLoad(url: string): { toBeLost(): Promise<void>; end(): Promise<Told> } & Disposable {
  const over = new AbortController();
  const told: Told = { tokens: [], statuses: [], errors: [] };
  const loading = load(url, 4, over.signal, told);
  return {
    async toBeLost() {
      while (told.errors.length === 0 && (told.tokens.length < 4 || told.statuses.length < 21)) await setTimeout(5);
    },
    async end() {
      over.abort();
      await loading;
      return told;
    },
    [Symbol.dispose]: () => over.abort(),
  };
}

/** Clients that log in and ask who they are. Half of them keep a connection, half open one for each request. */
async function load(url: string, clients: number, signal: AbortSignal, told: Told): Promise<void> {
  async function client(number: number): Promise<void> {
    const agent = number % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
    while (!signal.aborted) {
      try {
        const token = await logIn(url, agent);
        told.tokens.push(token);
        for (let look = 0; look < 8 && !signal.aborted; look += 1)
          told.statuses.push(await statusOf(url, token, agent));
      } catch (error) {
        told.errors.push(String(error));
      }
    }
    if (agent) agent.destroy();
  }
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
}

function assertNothingLost({ tokens, statuses, errors }: Told): void {
  assert.deepEqual(errors, []);
  assert.ok(tokens.length > 3 && statuses.length > 20, `too few requests for this test: ${statuses.length}`);
  assert.deepEqual(new Set(statuses), new Set([200]));
}

describe('several workers', { concurrency: 3 }, () => {
  for (const choice of [
    { users: 'SQLite', sessions: 'SQL' },
    { users: 'PostgreSQL', sessions: 'Redis' },
  ] satisfies StoreChoice[]) {
    describe(`two workers on ${choice.users} and ${choice.sessions}`, {
      skip: missing(choice.users, choice.sessions),
    }, () => {
      test('both accept the same session, and a logout at one ends it at both', async () => {
        const stores = await openStores(choice);
        try {
          await using cluster = await openCluster(choice.users === 'SQLite' ? {} : stores.settings);
          const token = await logIn(cluster.url);
          for (let look = 0; look < 8; look += 1) assert.equal(await statusOf(cluster.url, token), 200);
          const answering = cluster.log.filter(({ msg }) => msg === 'request completed').map(({ pid }) => pid);
          assert.deepEqual(new Set(answering), new Set(cluster.workers()));
          assert.equal(new Set(answering).size, 2);
          assert.equal((await ask(`${cluster.url}/api/logout`, token, false, '')).status, 200);
          for (let look = 0; look < 4; look += 1) assert.equal(await statusOf(cluster.url, token), 401);
          assert.equal(await cluster.server.stop(), 0);
        } finally {
          await stores.drop();
        }
      });

      test('lose no acknowledged login when one is killed under load, and the primary replaces it', async () => {
        const stores = await openStores(choice);
        try {
          await using cluster = await openCluster(choice.users === 'SQLite' ? {} : stores.settings);
          using clients = startLoad(cluster.url);
          const [victim = 0, other] = cluster.workers();
          await clients.toBeLost();
          process.kill(victim, 'SIGKILL');
          const [end] = await cluster.heard('worker_ended');
          assert.deepEqual(end, { ...end, worker: victim, code: null, signal: 'SIGKILL' });
          await cluster.heard('worker_ready');
          const { tokens, statuses } = await clients.end();
          assert.ok(tokens.length > 3);
          assert.deepEqual(new Set(statuses), new Set([200]));
          for (const token of tokens) assert.equal(await statusOf(cluster.url, token), 200);
          const now = cluster.workers();
          assert.ok(now.length === 2 && now.includes(other ?? 0) && !now.includes(victim));
        } finally {
          await stores.drop();
        }
      });
    });
  }

  test('a killed worker loses only the connections on their way to it', async () => {
    await using cluster = await openCluster();
    const [victim = 0] = cluster.workers();
    process.kill(victim, 'SIGSTOP');
    // Each worker gets one connection in turn. The stopped worker does not take its own.
    const asked = [1, 2].map(() => ask(`${cluster.url}/health/live`));
    asked.map((answer) => answer.catch(() => {}));
    await Promise.any(asked);
    process.kill(victim, 'SIGKILL');
    await cluster.heard('worker_ended');
    for (let look = 0; look < 8; look += 1) assert.equal((await ask(`${cluster.url}/health/live`)).status, 200);
    await cluster.heard('worker_ready');
    assert.equal(cluster.workers().length, 2);
    assert.equal(await cluster.server.stop(), 0);
    assert.deepEqual((await Promise.allSettled(asked)).map(({ status }) => status).toSorted(), [
      'fulfilled',
      'rejected',
    ]);
  });

  test('the primary replaces workers that are all killed with connections on their way to them', async () => {
    await using cluster = await openCluster();
    const old = cluster.workers();
    for (const worker of old) process.kill(worker, 'SIGSTOP');
    const asked = [1, 2, 3, 4].map(() => ask(`${cluster.url}/health/live`));
    const lost = Promise.allSettled(asked);
    await setTimeout(200);
    for (const worker of old) process.kill(worker, 'SIGKILL');
    await cluster.heard('worker_ready', 2);
    assert.equal(cluster.workers().length, 2);
    assert.equal(await cluster.server.stop(), 0);
    assert.ok((await lost).every(({ status }) => status === 'rejected'));
  });

  test('the primary replaces failing workers ever more slowly, and succeeds when the fault is gone', async () => {
    await using cluster = await openCluster();
    const file = join(cluster.workplace.folder, 'janua.db');
    await rename(file, `${file}.away`);
    process.kill(cluster.workers()[0] ?? 0, 'SIGKILL');
    const ends = await cluster.heard('worker_ended', 3);
    assert.deepEqual(
      ends.map(({ faults }) => faults),
      [[], ...Array(2).fill(['DATABASE_URL: there is no such file yet. Run: npx janua migrate'])],
    );
    const [killed = 0, first = 0, second = 0] = ends.map(({ time }) => time);
    assert.ok(first - killed < 1000 + second - first && second - first >= 1000, `${killed} ${first} ${second}`);
    await rename(`${file}.away`, file);
    await cluster.heard('worker_ready');
    assert.equal(cluster.workers().length, 2);
    assert.equal(await cluster.server.stop(), 0);
  });

  test('SIGTERM under load loses no request, and all workers end in time', async () => {
    await using cluster = await openCluster({ DRAIN_SECONDS: '1' });
    using clients = startLoad(cluster.url);
    await clients.toBeLost();
    const workers = cluster.workers();
    const ended = cluster.server.stop();
    // Like a proxy: it sends nothing more to a server that reports not ready.
    for (;;) if ((await ask(`${cluster.url}/health/ready`)).status === 503) break;
    await setTimeout(100);
    assertNothingLost(await clients.end());
    assert.equal(await ended, 0);
    assert.deepEqual(running(workers), []);
  });

  test('a second SIGTERM ends the drain', async () => {
    await using cluster = await openCluster({ DRAIN_SECONDS: '300' });
    const ended = cluster.server.stop();
    for (;;) if ((await ask(`${cluster.url}/health/ready`)).status === 503) break;
    cluster.server.process.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  test('two reloads under load replace all workers, stay ready and lose no request', async () => {
    await using cluster = await openCluster({ DRAIN_SECONDS: '3' });
    using clients = startLoad(cluster.url);
    const readiness: number[] = [];
    let isOver = false;
    const watching = (async () => {
      while (!isOver) readiness.push((await ask(`${cluster.url}/health/ready`)).status);
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
    assert.equal(cluster.log.filter(({ event }) => event === 'reload').length, 2);
    assert.equal(cluster.log.filter(({ event }) => event === 'worker_ready').length, 4);
    assert.equal(await cluster.server.stop(), 0);
  });

  test('SIGTERM during a reload ends all workers in order, and the log has no `reloaded`', async () => {
    await using cluster = await openCluster({ DRAIN_SECONDS: '1' });
    cluster.server.process.kill('SIGHUP');
    await cluster.heard('worker_ready');
    // The first worker is replaced, and drains.
    assert.equal(await cluster.server.stop(), 0);
    const events = cluster.log.flatMap(({ event = 'mail_off' }) => (event === 'mail_off' ? [] : event));
    assert.deepEqual(events, ['reload', 'worker_ready']);
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
      const logOut = async () => (await ask(`${cluster.url}/api/logout`, await logIn(cluster.url), false, '')).body;

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

  test('a worker that ends while its successor waits for a store is replaced after the reload fails', {
    skip: missing('Redis'),
  }, async () => {
    const database = await createRedisDatabase();
    try {
      const address = new URL(database.url);
      await using proxy = await startProxy(Number(address.port));
      address.port = String(proxy.port);
      await using cluster = await openCluster({ REDIS_URL: address.href });
      const old = cluster.workers();
      proxy.hold();
      cluster.server.process.kill('SIGHUP');
      while (cluster.workers().length < 3) await setTimeout(5);
      process.kill(old[0] ?? 0, 'SIGKILL');
      await cluster.heard('reload_failed');
      proxy.pass();
      await cluster.heard('worker_ready');
      assert.equal(cluster.workers().length, 2);
      assert.equal(await cluster.server.stop(), 0);
    } finally {
      await database.drop();
    }
  });

  test('the primary gives up on a replacement that hangs, and starts another', async () => {
    await using cluster = await openCluster();
    const old = cluster.workers();
    process.kill(old[0] ?? 0, 'SIGKILL');
    while (running(old).length === 2 || cluster.workers().length < 2) await setTimeout(5);
    const [replacement = 0] = cluster.workers().filter((pid) => !old.includes(pid));
    process.kill(replacement, 'SIGSTOP');
    await cluster.heard('worker_ended', 2);
    await cluster.heard('worker_ready');
    assert.equal(cluster.workers().length, 2);
    assert.equal(await cluster.server.stop(), 0);
  });

  test('metrics add up all workers, replaced ones included', async () => {
    await using cluster = await openMeasuredCluster();
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
    assert.equal(await cluster.server.stop(), 0);
  });

  test('metrics cannot be read while a worker is frozen, and say when one is missing', async () => {
    await using cluster = await openMeasuredCluster();
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
    assert.equal(await cluster.server.stop(), 0);
  });

  test('no worker survives a kill of the primary', async () => {
    await using cluster = await openCluster();
    const workers = cluster.workers();
    assert.equal(workers.length, 2);
    // The workers share its standard output, which ends only with the last of them.
    assert.equal(await cluster.server.stop('SIGKILL'), null);
    // A process closes its files just before its end.
    for (let look = 0; running(workers).length > 0 && look < 100; look += 1) await setTimeout(10);
    assert.deepEqual(running(workers), []);
  });

  describe('several workers report a fault once and leave no process', () => {
    for (const [name, env, line] of [
      ['missing tables', {}, /^DATABASE_URL: there is no such file yet\. Run: npx janua migrate\n$/],
      ['a wrong setting', { WORKERS: '0' }, /^WORKERS must be a whole number from 1 to 64\.\n$/],
    ] as const) {
      test(name, async () => {
        await using workplace = await createWorkplace();
        const settings = { ...sqlite, WORKERS: '3', PORT: '0', ...env };
        const { code, stdout, stderr } = await workplace.run(['serve'], { env: settings });
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
      const { code, stderr } = await workplace.run(['serve'], { env: { ...sqlite, WORKERS: '3', PORT } });
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
    const settings = { ...sqlite, WORKERS: '2', PORT: '0', DRAIN_SECONDS: '1' };
    await prepare(workplace, settings);
    const { PATH = '' } = process.env;
    const launcher = spawn(process.execPath, [join(root, 'bin/janua.mjs'), 'serve'], {
      cwd: workplace.folder,
      env: { PATH, ...settings },
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 30_000,
    });
    const group = launcher.pid ?? 0;
    let reloaded = false;
    let answers = 0;
    for await (const line of createInterface({ input: launcher.stdout })) {
      const { msg, port, event } = JSON.parse(line);
      if (msg === 'ready') {
        const url = `http://127.0.0.1:${port}`;
        assert.equal((await ask(`${url}/health/ready`)).status, 200);
        launcher.kill('SIGHUP');
        void (async () => {
          while (!reloaded) answers += (await ask(`${url}/health/live`)).status === 200 ? 1 : 0;
          process.kill(-group, 'SIGINT');
          await setTimeout(200);
          // A second signal would have ended the drain by now.
          assert.equal((await ask(`${url}/health/ready`)).status, 503);
          answers = -1;
        })();
      }
      if (event === 'reloaded') reloaded = true;
    }
    if (launcher.exitCode === null) await once(launcher, 'exit');
    assert.equal(launcher.exitCode, 0);
    assert.equal(answers, -1);
  });
});
