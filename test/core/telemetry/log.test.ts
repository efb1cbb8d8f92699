import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent, get, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createMigratedWorkplace, createWorkplace, type Running } from '../../commands/janua-command.ts';
import { findProgram } from '../../servers/find-program.ts';
import { findFreePort } from '../../servers/throw-away-server.ts';

const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url));

async function askBy(agent: Agent | false, url: string): Promise<number> {
  const [answer]: [IncomingMessage] = await (once(get(url, { agent }), 'response') as Promise<[IncomingMessage]>);
  await once(answer.resume(), 'end');
  return answer.statusCode ?? 0;
}

/** The status of `/health/live`, or 0 if the server does not listen yet. */
const statusOf = (url: string) => askBy(false, url).catch(() => 0);

/** Follows the log of a running server from now on. */
function linesOf({ process }: Pick<Running, 'process'>) {
  const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  return {
    /** Waits for a line, and gives all lines up to it. */
    async until(pattern: RegExp): Promise<string[]> {
      const seen: string[] = [];
      for (;;) {
        const { value, done } = await lines.next();
        assert.ok(!done, `the log ended without ${pattern}: ${seen.join('\n')}`);
        seen.push(value);
        if (pattern.test(value)) return seen;
      }
    },
  };
}

test('a request has one line at info, with request and answer, two lines at debug, and none at warn', async () => {
  await using workplace = await createMigratedWorkplace();
  const server = await workplace.start(['serve'], { LOG_LEVEL: 'info' });
  const ask = async ({ url }: Running, lines: ReturnType<typeof linesOf>) => {
    const username = 'a\r\n{"forged":1}\u001B[2J\u2028';
    await fetch(`${url}/api/login`, { method: 'POST', body: new URLSearchParams({ username, password: 'wrong' }) });
    const said = await lines.until(/"request completed"/);
    for (const line of said) assert.equal(typeof JSON.parse(line).level, 'number', line);
    for (const raw of ['\u001B', '\u2028', '\r']) assert.ok(!said.join().includes(raw));
    const answer = await fetch(`${url}/nothing?canary`);
    const written = await lines.until(/"request completed"/);
    const own = written.filter((line) => line.includes('/nothing'));
    assert.doesNotMatch(written.join(), /canary/);
    return { own, line: JSON.parse(own.at(-1) ?? ''), id: answer.headers.get('x-request-id') };
  };
  const { own, line, id } = await ask(server, linesOf(server));
  assert.equal(own.length, 1);
  assert.deepEqual(line.req, { method: 'GET', path: '/nothing', address: '127.0.0.1' });
  assert.deepEqual([line.res, line.reqId, typeof line.responseTime], [{ statusCode: 404 }, id, 'number']);
  await server.stop();
  const verbose = await workplace.start(['serve'], { LOG_LEVEL: 'debug' });
  assert.equal((await ask(verbose, linesOf(verbose))).own.length, 2);
  await verbose.stop();
  const quiet = await workplace.start(['demo'], { LOG_LEVEL: 'warn' });
  let written = '';
  quiet.process.stdout.on('data', (chunk) => {
    written += chunk;
  });
  await fetch(`${quiet.url}/health/live`);
  await quiet.stop();
  assert.doesNotMatch(written, /"incoming request"|"request completed"/);
});

test("the line of a request names the client's address, which only a trusted proxy can set", async () => {
  await using workplace = await createMigratedWorkplace();
  for (const [TRUSTED_PROXIES, address] of [
    ['127.0.0.1', '203.0.113.7'],
    ['10.0.0.0/8', '127.0.0.1'],
  ] as const) {
    const server = await workplace.start(['serve'], { TRUSTED_PROXIES });
    const lines = linesOf(server);
    for (const path of ['/health/live', '/%zz']) {
      await fetch(`${server.url}${path}`, { headers: { 'x-forwarded-for': '203.0.113.7', 'x-request-id': 'edge-1' } });
      const line = JSON.parse((await lines.until(/"request completed"/)).at(-1) ?? '');
      assert.equal(line.req.address, address);
      assert.equal(line.reqId === 'edge-1', address === '203.0.113.7');
    }
    await server.stop();
  }
});

test('SIGUSR1 opens no debugger, neither in the launcher nor in the server', async () => {
  await using workplace = await createWorkplace();
  const janua = fileURLToPath(new URL('../../../bin/janua.mjs', import.meta.url));
  const launcher = spawn(process.execPath, [janua, 'demo'], {
    cwd: workplace.folder,
    // The launcher stays below npm only.
    env: { PATH: process.env.PATH, PORT: '0', npm_command: 'run' },
    timeout: 60_000,
  });
  let complaints = '';
  try {
    launcher.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    const lines = linesOf({ process: launcher });
    await lines.until(/Ctrl\+C/);
    launcher.kill('SIGUSR1');
    // The server is the only child of the launcher.
    const children = await readFile(`/proc/${launcher.pid}/task/${launcher.pid}/children`, 'utf8');
    process.kill(Number(children), 'SIGUSR1');
  } finally {
    launcher.kill('SIGTERM');
    await once(launcher, 'close');
  }
  assert.doesNotMatch(complaints, /Debugger/i);
});

/** Escape sequences from a client that must not reach a terminal. A terminal reads C1 as one byte. */
const hostile = '\u009b2J\u009b31m\u0085forged';

async function visit(url: string): Promise<void> {
  const visitor = request(`${url}/%1b%5b2J%0a`, { headers: { 'user-agent': hostile } }).end();
  const [answer] = await once(visitor, 'response');
  answer.resume();
  await once(answer, 'end');
}

test('LOG_FORMAT=text gives readable lines, in which a client cannot control the terminal', async () => {
  await using workplace = await createWorkplace();
  const server = await workplace.start(['demo'], { LOG_LEVEL: 'info', LOG_FORMAT: 'text' });
  const lines = linesOf(server);
  await visit(server.url);
  const body = new URLSearchParams({ username: 'nobody', password: 'canary' });
  await fetch(`${server.url}/api/login`, { method: 'POST', body, headers: { 'user-agent': hostile } });
  const written = (await lines.until(/login failed/)).join('\n');
  assert.match(written, /^\d\d:\d\d:\d\d info {2}request completed {2}reqId: \S+ req: { method: 'GET', path: '\/%1b/m);
  assert.match(written, /userAgent: '\uFFFD2J\uFFFD31m\uFFFDforged'/);
  assert.doesNotMatch(written.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
  assert.doesNotMatch(written, /canary/);
  await server.stop();
});

test('in JSON, a value with line breaks and colours stays within its line, and no line is on standard error', () => {
  const value = 'ann\r\n{"level":30}\u001b[31m';
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
  const program = `import { createLog } from ${JSON.stringify(new URL('../../../src/core/telemetry/log.ts', import.meta.url))};
    const log = createLog({ LOG_LEVEL: 'trace', LOG_FORMAT: 'json' }, String);
    for (const level of ${JSON.stringify(levels)}) log[level]({ value: ${JSON.stringify(value)} }, 'a message');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  assert.match(stdout, /^(\{\P{Cc}+\}\n)+$/u);
  const written = stdout.trimEnd().split('\n');
  assert.deepEqual(
    written.map((line) => JSON.parse(line).value),
    levels.map(() => value),
  );
  assert.equal(stderr, '');
});

test('the log is readable text in a terminal, and JSON elsewhere', {
  skip: findProgram('script') === undefined,
}, async () => {
  await using workplace = await createWorkplace();
  const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url));
  // A separate terminal. It ends with the server, and the server ends with it.
  const terminal = spawn('script', ['-qefc', `"${process.execPath}" "${cli}" demo`, '/dev/null'], {
    cwd: workplace.folder,
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', TERM: 'xterm' },
    timeout: 60_000,
  });
  const lines = linesOf({ process: terminal });
  const greeting = (await lines.until(/Ctrl\+C/)).join('\n');
  const [, url = ''] = /(http:\/\/localhost:\d+)/.exec(greeting) ?? [];
  await visit(url);
  const seen = (await lines.until(/request completed/)).join('\n');
  assert.match(seen, /info/);
  assert.doesNotMatch(seen, /"level":30/);
  for (const sequence of ['\u009b', '\u001b[2J']) assert.ok(!seen.includes(sequence));
  terminal.stdin.write('\u0003');
  await once(terminal, 'exit');

  const piped = await workplace.start(['demo'], { LOG_LEVEL: 'info' });
  const plain = linesOf(piped);
  await visit(piped.url);
  JSON.parse((await plain.until(/request completed/)).at(-1) ?? '');
  await piped.stop();
});

test('the log is JSON in a pipe, also if standard error is a terminal', {
  skip: findProgram('script') === undefined,
}, () => {
  const program = `import { createLog } from ${JSON.stringify(new URL('../../../src/core/telemetry/log.ts', import.meta.url))};
    if (!process.stderr.isTTY || process.stdout.isTTY) throw new Error('no terminal');
    createLog({ LOG_LEVEL: 'info' }, String).info('a message');`;
  const command = `"${process.execPath}" --input-type=module --eval "$PROGRAM" | cat`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, SHELL: '/bin/sh', PROGRAM: program },
  });
  const { msg, time } = JSON.parse(stdout);
  assert.equal(msg, 'a message');
  assert.ok(Math.abs(time - Date.now()) < 3_600_000, 'milliseconds since 1970');
});

describe('a server whose log cannot be written', () => {
  for (const settings of [{ WORKERS: '1' }, { WORKERS: '2' }, { LOG_FORMAT: 'text' }] as const) {
    test(`because of a full disk still lets users sign in, and ends in order (${JSON.stringify(settings)})`, {
      skip: !existsSync('/dev/full'),
    }, async () => {
      await using workplace = await createMigratedWorkplace();
      const port = String(await findFreePort());
      const full = openSync('/dev/full', 'w');
      const server = spawn(process.execPath, [cli, 'serve'], {
        cwd: workplace.folder,
        env: { PATH: process.env.PATH, PORT: port, LOG_LEVEL: 'info', DRAIN_SECONDS: '0', ...settings },
        stdio: ['ignore', full, 'inherit'],
      });
      closeSync(full);
      try {
        const url = `http://127.0.0.1:${port}/health/ready`;
        while ((await statusOf(url)) !== 200) assert.equal(server.exitCode, null);
        for (let time = 0; time < 50; time += 1) assert.equal(await statusOf(url), 200);
        server.kill('SIGTERM');
        const [code] = await once(server, 'exit');
        assert.equal(code, 0);
      } finally {
        server.kill('SIGKILL');
      }
    });
  }

  test('because the reader has stopped still answers, counts the lost lines, and ends in order', async () => {
    await using workplace = await createMigratedWorkplace();
    const server = await workplace.start(['serve'], { LOG_LEVEL: 'info' });
    // From now on the test reads no output. The lines of all these requests exceed the pipe and the buffer.
    server.process.stdout.pause();
    const long = `${server.url}/no/${'a'.repeat(8000)}`;
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const askOften = () => Promise.all(Array.from({ length: 300 }, () => askBy(agent, long)));
    assert.deepEqual(new Set(await askOften()), new Set([404]));
    // Once the test reads again, the log continues and reports the lost lines.
    const lines = linesOf(server);
    const told = (async () => JSON.parse((await lines.until(/"log_lost"/)).at(-1) ?? ''))();
    while ((await Promise.race([told, askBy(agent, server.url)])) === 200) await setTimeout(10);
    assert.ok((await told).lines > 0);
    server.process.stdout.pause();
    await askOften();
    agent.destroy();
    const ended = once(server.process, 'exit');
    server.process.kill('SIGTERM');
    const [code] = await ended;
    assert.equal(code, 0);
  });
});

test('the log never contains invalid HTTP, at any level, because it may contain a password', async () => {
  await using workplace = await createMigratedWorkplace();
  const server = await workplace.start(['serve'], { LOG_LEVEL: 'trace' });
  const lines = linesOf(server);
  for (const [head, rest] of [
    ['GET /api/me?q=canary HTTP/1.1\r\nHost: a\r\nCookie: session=canary\r\n', 'Bad Header\x01: x\r\n\r\n'],
    ['POST /api/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 'password=canary\r\n'],
  ] as const) {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
    socket.end(head + rest);
    await once(socket.resume(), 'close');
    const seen = (await lines.until(/"client error"/)).join('\n');
    assert.doesNotMatch(seen, /canary|rawPacket/);
    assert.doesNotMatch(seen, new RegExp([...Buffer.from('canary')].join(',')));
  }
  await server.stop();
});
