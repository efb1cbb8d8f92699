import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startBalancer } from '../servers/balancer.ts';
import { missing } from '../servers/missing.ts';
import { openStores, type StoreChoice } from '../stores.ts';
import { createWorkplace, type Running, type Workplace } from './janua-command.ts';

/** Milliseconds between two requests of a client, so that the load leaves time for the servers. */
const pause = 10;

const secret = 'correct horse battery';
const username = 'ann@example.com';

async function openTown(choice: StoreChoice) {
  const workplace = await createWorkplace();
  const stores = await openStores(choice);
  const file = choice.users === 'SQLite' ? { DATABASE_URL: 'sqlite:./janua.db' } : {};
  const settings = {
    ...stores.settings,
    ...file,
    PUBLIC_URL: 'http://localhost:8000',
    // An idle machine starts more sessions under load than a user may have by default. The oldest would then end.
    SESSIONS_PER_USER: '10000',
  } as Record<string, string>;
  await workplace.run(['migrate'], { env: settings });
  const added = await workplace.run(['users', 'add', username, '--first-name', 'A', '--last-name', 'B'], {
    env: settings,
    input: secret,
  });
  assert.equal(added.code, 0, added.stderr);
  return {
    start: (more: Record<string, string> = {}) => startServer(workplace, { ...settings, ...more }),
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await stores.drop();
    },
  };
}

async function startServer(workplace: Workplace, env: Record<string, string>): Promise<Running> {
  const server = await workplace.start(['serve'], env);
  // Keep reading: a full pipe would block the process.
  server.process.stdout.resume();
  return server;
}

const logIn = (url: string) =>
  fetch(`${url}/api/login`, { method: 'POST', body: new URLSearchParams({ username, password: secret }) });
const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const statusOf = async (url: string, token: string) => (await fetch(`${url}/api/me`, withToken(token))).status;
const logOut = (url: string, token: string) => fetch(`${url}/api/logout`, { method: 'POST', ...withToken(token) });
const tokenOf = async (answer: Response) => ((await answer.json()) as { access_token: string }).access_token;

/** The results that the server acknowledged to clients. Only these have to hold. */
interface Acknowledged {
  readonly alive: Set<string>;
  readonly ended: Set<string>;
  /** Statuses of all answers that were no success. */
  readonly odd: number[];
}

const empty = (): Acknowledged => ({ alive: new Set(), ended: new Set(), odd: [] });

/** Two clients that log in, ask who they are and sometimes log out, until `signal` aborts. */
async function load(url: string, signal: AbortSignal, told: Acknowledged): Promise<void> {
  async function client(number: number): Promise<void> {
    for (let round = 0; !signal.aborted; round += 1) {
      await setTimeout(pause);
      const login = await logIn(url).catch(() => undefined);
      if (login?.status !== 200) {
        told.odd.push(login?.status ?? 0);
        continue;
      }
      const token = await tokenOf(login);
      told.alive.add(token);
      const me = await statusOf(url, token).catch(() => 0);
      if (me !== 200) told.odd.push(me);
      if ((round + number) % 2 === 0) continue;
      // From here on the session may have ended, even if no answer arrives.
      told.alive.delete(token);
      const logout = await logOut(url, token).catch(() => undefined);
      if (logout?.status === 200) told.ended.add(token);
      else told.odd.push(logout?.status ?? 0);
    }
  }
  await Promise.all([client(0), client(1)]);
}

/** Waits until more logins and logouts were acknowledged. */
async function toBeLost({ alive, ended }: Acknowledged): Promise<void> {
  const [lastAlive, lastEnded] = [alive.size + 4, ended.size + 4];
  while (alive.size < lastAlive || ended.size < lastEnded) await setTimeout(pause);
}

async function expectKept(url: string, { alive, ended }: Acknowledged): Promise<void> {
  assert.ok(
    alive.size > 3 && ended.size > 3,
    `too few sessions for this test: ${alive.size} alive, ${ended.size} ended`,
  );
  for (const token of alive)
    assert.equal(await statusOf(url, token), 200, 'the session of an acknowledged login is kept');
  for (const token of ended) assert.equal(await statusOf(url, token), 401, 'an acknowledged logout is final');
}

for (const choice of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'SQL' },
  { users: 'MariaDB', sessions: 'Redis' },
] as const) {
  describe(`two processes on ${choice.users} and ${choice.sessions}`, {
    skip: missing(choice.users, choice.sessions),
  }, () => {
    let town: Awaited<ReturnType<typeof openTown>>;
    let one: Running;
    let other: Running;
    before(async () => {
      town = await openTown(choice);
      [one, other] = await Promise.all([town.start(), town.start()]);
    });
    after(() => town[Symbol.asyncDispose]());

    test('a session from one process works on the other, and a logout ends it on both', async () => {
      const login = await logIn(one.url);
      const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
      const token = await tokenOf(login);
      assert.equal(await statusOf(other.url, token), 200);
      assert.equal((await fetch(`${other.url}/admin/me`, { headers: { cookie }, redirect: 'manual' })).status, 200);
      assert.equal((await logOut(other.url, token)).status, 200);
      assert.equal(await statusOf(one.url, token), 401);
      assert.equal(await statusOf(other.url, token), 401);
    });

    test('a process that is killed under load loses nothing that was acknowledged', async () => {
      await using balancer = await startBalancer();
      await balancer.setBackends([one.url, other.url]);
      const over = new AbortController();
      const told = empty();
      const loading = load(balancer.url, over.signal, told);
      await toBeLost(told);
      const gone = once(one.process, 'exit');
      one.process.kill('SIGKILL');
      await gone;
      await toBeLost(told);
      over.abort();
      await loading;
      await expectKept(other.url, told);
      for (const status of told.odd) assert.ok([0, 502].includes(status), String(status));
    });
  });
}

test('in a rolling restart each process reports not ready, drains and ends, and no client notices', {
  skip: missing('PostgreSQL', 'Redis'),
}, async () => {
  await using town = await openTown({ users: 'PostgreSQL', sessions: 'Redis' });
  await using balancer = await startBalancer();
  // A second signal ends the drain.
  const draining = { DRAIN_SECONDS: '300' };
  let running = await Promise.all([town.start(draining), town.start(draining)]);
  await balancer.setBackends(running.map(({ url }) => url));
  const over = new AbortController();
  const told = empty();
  const loading = load(balancer.url, over.signal, told);
  for (let restarted = 0; restarted < 2; restarted += 1) {
    const [old, kept] = running as [Running, Running];
    await toBeLost(told);
    const stopped = old.stop();
    while (balancer.ready.length > 1) await setTimeout(pause);
    assert.deepEqual(balancer.ready, [kept.url]);
    const unready = await fetch(`${old.url}/health/ready`);
    const { detail } = (await unready.json()) as { detail: string };
    assert.deepEqual([unready.status, detail], [503, 'The server is unavailable']);
    assert.equal((await fetch(`${old.url}/health/live`)).status, 200);
    await toBeLost(told);
    old.process.kill('SIGTERM');
    assert.equal(await stopped, 0);
    const next = await town.start(draining);
    running = [kept, next];
    await balancer.setBackends([kept.url, next.url]);
  }
  await toBeLost(told);
  over.abort();
  await loading;
  assert.deepEqual(told.odd, []);
  await expectKept((running[0] as Running).url, told);
});
