import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { createWorkplace, type Workplace } from '../../commands/janua-command.ts';

const secret = 'correct horse battery';

/** The timeout of a store operation in these tests, in seconds. */
const storeTimeout = 1;

/** Milliseconds within which every request is answered. Much more than the timeout, because the machine may be busy. */
export const bound = 20_000;

/** Milliseconds after which a server is killed, if its test did not end it. */
const longest = 600_000;

/** A server process on stores that a test makes fail. */
export interface Served extends AsyncDisposable {
  /** The cookie of a session from before the fault. */
  readonly cookie: string;
  /** Expects a 503 for every request, in its format and without a session. Readiness has to name the store. */
  expectUnavailable(part: string, options?: { readable?: boolean }): Promise<void>;
  /** Waits until the server is ready again. Expects that a login works and that the earlier session is alive. */
  expectRecovery(): Promise<void>;
  /** Expects that the server is alive but not ready. */
  expectUnready(part: string): Promise<void>;
  logIn(): Promise<Response>;
  /** Logs in until a store has no space left. Expects that the refused login gets no session. */
  fillUntilRefused(): Promise<void>;
  /** How often each event was logged so far. */
  count(event: string): number;
  readonly workplace: Workplace;
}

export interface ServeOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Runs after the user is added and before the server starts. */
  readonly beforeStart?: () => Promise<void>;
  /** Has the tables and the user already. */
  readonly workplace?: Workplace;
}

/** Makes the tables and a user, starts `janua serve`, and signs in when it is ready. */
export async function serveOn(options: ServeOptions): Promise<Served> {
  const workplace = options.workplace ?? (await createWorkplace());
  try {
    return await serveFrom(workplace, options);
  } catch (error) {
    // A server that is left would keep the test from its end.
    await workplace[Symbol.asyncDispose]();
    throw error;
  }
}

async function serveFrom(
  workplace: Workplace,
  { env: given, beforeStart, workplace: made }: ServeOptions,
): Promise<Served> {
  const env = { STORE_TIMEOUT_SECONDS: String(storeTimeout), DRAIN_SECONDS: '0', PORT: '0', ...given };
  if (made === undefined) {
    await expectSuccess(workplace, ['migrate'], env);
    await expectSuccess(workplace, ['users', 'add', 'ann@example.com', '--first-name', 'Ann', '--last-name', 'A'], env);
  }
  await beforeStart?.();
  const process = workplace.launch(['serve'], env, longest);
  const lines: { event?: string; msg?: string }[] = [];
  const listening = Promise.withResolvers<string>();
  let partial = '';
  process.stdout.on('data', (chunk: Buffer) => {
    const parts = `${partial}${chunk}`.split('\n');
    partial = parts.pop() ?? '';
    for (const part of parts) {
      const line: { event?: string; msg?: string } = JSON.parse(part);
      lines.push(line);
      const url = /^Server listening at (\S+)$/.exec(line.msg ?? '')?.[1];
      if (url !== undefined) listening.resolve(url);
    }
  });
  const errors: string[] = [];
  process.stderr.on('data', (chunk: Buffer) => errors.push(String(chunk)));
  process.once('exit', () => listening.reject(new Error(`the server ended: ${errors.join('')}`)));
  const url = await listening.promise;

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { redirect: 'manual', ...init, signal: AbortSignal.timeout(bound) });
  const logIn = (path = '/api/login', headers: Record<string, string> = {}) =>
    ask(path, {
      method: 'POST',
      headers,
      body: new URLSearchParams({ username: 'ann@example.com', password: secret }),
    });
  let cookie = '';
  if (beforeStart === undefined) {
    let first = await logIn();
    // On a busy machine, a store may take longer for its first answers than the server waits.
    for (let tries = 0; first.status === 503 && tries < 100; tries += 1) {
      await setTimeout(50);
      first = await logIn();
    }
    cookie = cookieOf(first);
  }

  /** Repeats a request until the answer has that status, and returns it. */
  async function until(path: string, status: number): Promise<Response> {
    for (let tries = 0; tries < 600; tries += 1) {
      const answer = await ask(path, { headers: { cookie } });
      if (answer.status === status) return answer;
      assert.equal(answer.status === 200 || answer.status === 503, true, String(answer.status));
      await setTimeout(50);
    }
    return assert.fail(`${path} never answers ${status}`);
  }

  async function expectUnready(part: string): Promise<void> {
    const ready = await until('/health/ready', 503);
    assert.equal(ready.headers.get('retry-after'), '5');
    assert.equal(((await ready.json()) as { detail: string }).detail, `${part} is unavailable`);
    assert.equal((await ask('/health/live')).status, 200);
  }

  return {
    expectUnready,
    get cookie() {
      return cookie;
    },
    workplace,
    logIn: () => logIn(),
    count: (event) => lines.filter((line) => line.event === event).length,

    async expectUnavailable(part, { readable = false } = {}) {
      const requests: [path: string, answer: Promise<Response>][] = [
        ['/api/login', logIn('/api/login', { cookie })],
        ['/auth/token', logIn('/auth/token', { cookie })],
      ];
      if (!readable)
        requests.push(
          ['/api/me', ask('/api/me', { headers: { cookie } })],
          ['/admin/me', ask('/admin/me', { headers: { cookie } })],
        );
      await Promise.all(requests.map(async ([path, answer]) => expect503(path, await answer)));
      await expectUnready(part);
      if (readable) assert.equal((await ask('/api/me', { headers: { cookie } })).status, 200);
    },

    async fillUntilRefused() {
      let refused: Response | undefined;
      for (let round = 0; round < 60 && refused === undefined; round += 1) {
        const answers = await Promise.all(Array.from({ length: 8 }, () => logIn()));
        refused = answers.find(({ status }) => status !== 200);
      }
      assert.equal(refused?.status, 503);
      assert.deepEqual(refused.headers.getSetCookie(), []);
    },

    async expectRecovery() {
      await until('/health/ready', 200);
      // The server keeps a readiness result for half a second.
      if (cookie !== '') await until('/api/me', 200);
      const answer = await logIn();
      assert.equal(answer.status, 200);
      cookie = cookieOf(answer);
    },

    [Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose](),
  };
}

async function expectSuccess(workplace: Workplace, args: readonly string[], env: Readonly<Record<string, string>>) {
  const { code, stderr } = await workplace.run(args, { env, input: secret });
  assert.equal(code, 0, stderr);
}

function cookieOf(answer: Response): string {
  assert.equal(answer.status, 200);
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

async function expect503(path: string, answer: Response): Promise<void> {
  assert.equal(answer.status, 503, path);
  assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
  assert.deepEqual(answer.headers.getSetCookie(), []);
  if (path.startsWith('/api/')) assert.equal(((await answer.json()) as { status: number }).status, 503);
  else assert.match(await answer.text(), /<title>.*Service Unavailable/s);
}
