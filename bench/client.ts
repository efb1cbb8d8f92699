// A client in a process of its own: sends requests, and measures the responses.
import { setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { verify } from '@node-rs/argon2';
import { offer } from './child.ts';
import {
  type Answer,
  type Connection,
  cookieField,
  exchangeOnce,
  fieldsOf,
  getRequest,
  loginRequest,
  openConnection,
  postRequest,
} from './http.ts';
import { percentile } from './statistics.ts';

/** Requests, and the text that each response must contain. */
export interface Ask {
  /** Whole HTTP requests, sent in turns. */
  readonly requests: readonly string[];
  readonly expected: string;
}

/** A run ends at this many responses or this many seconds, whichever comes first. */
interface Bounds {
  readonly count: number;
  readonly seconds: number;
}

export interface Load extends Ask, Bounds {
  readonly port: number;
  readonly connections: number;
  /**
   * Never sleeps, and occupies a core. A server that sends to a sleeping process has to wake it. In a virtual machine this is
   * expensive: it added 10 to 23 µs to the bare route, and 41 to 72 µs to `/api/me`.
   */
  readonly awake?: boolean;
}

export interface LoadResult {
  readonly answers: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
}

export interface Exchange extends Omit<Answer, 'body'> {
  readonly body: string;
  readonly milliseconds: number;
}

/** Number of responses by status. */
export type Statuses = Record<string, number>;

interface Visits {
  readonly port: number;
  readonly usernames: readonly string[];
  readonly password: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Number of the first visit. The number determines the address of a visit. */
  readonly first: number;
}

/** Milliseconds that a refused sender waits: less than its Retry-After says. */
const patience = 1000;

/** Connections of a reader, opened in advance. Usually fewer requests wait at the same time. */
const readingConnections = 8;

/** Follows the status of a refusal that does not say how long it lasts. */
export const impatient = 'without Retry-After';

/** Acts again and again, at most so many at a time. */
async function repeat(
  atOnce: number,
  { count, seconds }: Bounds,
  act: (turn: number, lane: number) => Promise<unknown>,
): Promise<LoadResult> {
  const times: number[] = [];
  const start = performance.now();
  let begun = 0;
  async function work(lane: number): Promise<void> {
    while (begun < count && performance.now() < start + seconds * 1000) {
      const begunAt = performance.now();
      await act(begun++, lane);
      times.push(performance.now() - begunAt);
    }
  }
  await Promise.all(Array.from({ length: atOnce }, (_, lane) => work(lane)));
  const perSecond = (times.length / (performance.now() - start)) * 1000;
  return { answers: times.length, perSecond, median: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** Acts at a fixed rate, and waits for all in the end. */
async function pace<Result>(interval: number, seconds: number, act: (turn: number) => Promise<Result>) {
  const start = performance.now();
  const underWay: Promise<Result>[] = [];
  for (let turn = 0; turn < (seconds * 1000) / interval; turn += 1) {
    const rest = start + turn * interval - performance.now();
    if (rest > 0) await setTimeout(rest);
    const acting = act(turn);
    // A failure is thrown in the end.
    acting.catch(() => {});
    underWay.push(acting);
  }
  return Promise.all(underWay);
}

async function openAll(stack: DisposableStack, port: number, count: number): Promise<Connection[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => openConnection(port)));
  return opened.map((connection) => stack.use(connection));
}

function check({ status, body }: Answer, expected: string): void {
  if (status !== 200) throw new Error(`the server answered ${status}`);
  if (!body.includes(expected)) throw new Error(`the server answered without ${expected}`);
}

function keepAwake(stack: DisposableStack): void {
  let turn = setImmediate(stay);
  function stay(): void {
    turn = setImmediate(stay);
  }
  stack.defer(() => clearImmediate(turn));
}

const count = (statuses: Statuses, key: number | string) => {
  statuses[key] = (statuses[key] ?? 0) + 1;
};

/** Every 4th visitor first tries a wrong password and an unknown name. Every 5th also guesses at an account. Every 7th never logs out. */
const [forgetful, guessing, staying] = [4, 5, 7];

/** Sends the requests of one visit. */
async function visit({ usernames, password }: Visits, number: number, send: (request: string) => Promise<Answer>) {
  const address = `X-Forwarded-For: 198.18.${(number >> 8) % 256}.${number % 256}`;
  await send(getRequest('/auth/login', address));
  if (number % guessing === 0) {
    await send(loginRequest('guessed@example.com', 'a guess', '/api/login', 'X-Forwarded-For: 203.0.113.1'));
  }
  const username = usernames[number % usernames.length] ?? '';
  if (number % forgetful === 0) {
    await send(loginRequest(username, `not ${password}`, '/auth/token', address));
    await send(loginRequest(`nobody${number}@example.com`, password, '/api/login', address));
  }
  const answer = await send(loginRequest(username, password, '/api/login', address));
  const cookie = cookieField(answer);
  const token = `Authorization: Bearer ${JSON.parse(answer.body.toString()).access_token}`;
  for (const credential of [cookie, token]) {
    for (const path of ['/auth/home', '/admin/me', '/api/me']) await send(getRequest(path, credential, address));
  }
  if (number % staying === 0) return;
  await send(postRequest('/api/logout', {}, cookie, address));
  await send(getRequest('/api/me', token, address));
}

const tasks = {
  /** Sends requests over some connections, each as soon as the last one is answered. @throws for a response that is not expected */
  async send({ port, requests, expected, connections, awake = false, ...bounds }: Load): Promise<LoadResult> {
    using stack = new DisposableStack();
    const open = await openAll(stack, port, connections);
    const bytes = requests.map((request) => Buffer.from(request));
    if (awake) keepAwake(stack);
    return await repeat(connections, bounds, async (turn, lane) => {
      const answer = await open[lane]?.exchange(bytes[turn % bytes.length] ?? Buffer.alloc(0));
      if (answer !== undefined) check(answer, expected);
    });
  },

  /**
   * Sends a request every so many milliseconds, and gives the milliseconds of each response. So a slow response delays no later request,
   * which may be slow too.
   */
  async read(port: number, { requests: [request = ''], expected }: Ask, interval: number, seconds: number) {
    using stack = new DisposableStack();
    const idle = await openAll(stack, port, readingConnections);
    return await pace(interval, seconds, async () => {
      const start = performance.now();
      const connection = idle.pop() ?? stack.use(await openConnection(port));
      const answer = await connection.exchange(Buffer.from(request));
      const milliseconds = performance.now() - start;
      idle.push(connection);
      check(answer, expected);
      return milliseconds;
    });
  },

  /** Many senders repeat requests, each on a new connection, and wait when they are refused for a while. */
  async rush(port: number, requests: readonly string[], senders: number, seconds: number): Promise<Statuses> {
    const statuses: Statuses = {};
    await repeat(senders, { count: Number.POSITIVE_INFINITY, seconds }, async (turn) => {
      const { status, head } = await exchangeOnce(port, requests[turn % requests.length] ?? '');
      const isClear = status < 429 || fieldsOf(head, 'retry-after').length > 0;
      count(statuses, isClear ? status : `${status} ${impatient}`);
      if (status >= 429) await setTimeout(patience);
    });
    return statuses;
  },

  /** Sends each request once, and gives all responses. */
  async exchange(port: number, requests: readonly string[], connections: number) {
    using stack = new DisposableStack();
    const open = await openAll(stack, port, connections);
    const bytes = requests.map((request) => Buffer.from(request));
    const exchanges: Exchange[] = [];
    const bounds = { count: bytes.length, seconds: Number.POSITIVE_INFINITY };
    const result = await repeat(connections, bounds, async (turn, lane) => {
      const start = performance.now();
      const answer = await open[lane]?.exchange(bytes[turn] ?? Buffer.alloc(0));
      const milliseconds = performance.now() - start;
      if (answer !== undefined) exchanges[turn] = { ...answer, milliseconds, body: answer.body.toString() };
    });
    return { ...result, exchanges };
  },

  /** Starts visits at a fixed rate. Each has its own connection and, in X-Forwarded-For, its own address. */
  async visit(visits: Visits): Promise<Statuses> {
    const { port, perSecond, seconds, first } = visits;
    const statuses: Statuses = {};
    await pace(1000 / perSecond, seconds, async (turn) => {
      using connection = await openConnection(port);
      await visit(visits, first + turn, async (request) => {
        const answer = await connection.exchange(Buffer.from(request));
        count(statuses, answer.status);
        return answer;
      });
    });
    return statuses;
  },

  /** Only compares a password with its hash: the limit of a server's logins. */
  async hash(hash: string, password: string, concurrency: number, bounds: Bounds): Promise<LoadResult> {
    const bytes = Buffer.from(password);
    return repeat(concurrency, bounds, async () => {
      if (!(await verify(hash, bytes))) throw new Error('the password does not match its hash');
    });
  },

  /** Lowers the priority, because a process that never sleeps must not delay other processes. */
  yieldToOthers: () => setPriority(19),
};

export type ClientTasks = typeof tasks;

offer(tasks);
