import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../servers/find-program.ts';
import { running, signalTree } from '../servers/process-tree.ts';
import { createMigratedWorkplace, type Workplace } from './janua-command.ts';

const janua = fileURLToPath(new URL('../../bin/janua.mjs', import.meta.url));

interface Launched extends Disposable {
  readonly launcher: ChildProcessByStdio<null, Readable, null>;
  readonly pid: number;
  /** Waits for a line of the log, and returns it. */
  heard(pattern: RegExp): Promise<string>;
  /** Waits until all processes that write to the log have ended, and returns the exit code of the launcher. */
  closed(): Promise<number | null>;
}

function launch({ folder }: Workplace, command: string, env: Readonly<Record<string, string>>): Launched {
  const launcher = spawn(process.execPath, [janua, command], {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { pid = 0 } = launcher;
  const closed = once(launcher, 'close');
  const lines = createInterface({ input: launcher.stdout })[Symbol.asyncIterator]();
  return {
    launcher,
    pid,
    async heard(pattern) {
      for (;;) {
        const { value, done } = await lines.next();
        assert.ok(!done, `the process ended without printing ${pattern}`);
        if (pattern.test(value)) return value;
      }
    },
    async closed() {
      launcher.stdout.resume();
      const [code] = await closed;
      return code;
    },
    [Symbol.dispose]: () => void (launcher.exitCode === null && signalTree(pid, 'SIGKILL')),
  };
}

/** Waits until a process handles a signal. Before that, only Node is starting. */
async function toCatch(pid: number, signal: NodeJS.Signals): Promise<void> {
  for (;;) {
    const [, mask] = /^SigCgt:\s+([\da-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    const caught = BigInt(`0x${mask}`);
    if ((caught >> BigInt(constants.signals[signal] - 1)) & 1n) return;
    await setTimeout(1);
  }
}

/** Waits until the processes have ended. */
async function toEnd(pids: readonly number[]): Promise<void> {
  while (running(pids).length > 0) await setTimeout(20);
}

const childrenOf = (pid: number) =>
  (readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? []).map(Number);

/** The process that the launcher started. */
const childOf = (pid: number) => childrenOf(pid)[0] ?? Number.NaN;

/** npm sets it. Below npm the launcher stays. */
const belowNpm = { npm_command: 'run' };

/** Waits until a server drains, and so is not ready. */
async function toDrain(url: string): Promise<void> {
  while ((await statusOf(`${url}/health/ready`)) !== 503);
}

const statusOf = async (url: string) => (await fetch(url, { headers: { connection: 'close' } })).status;
const addressIn = (line: string) => `http://127.0.0.1:${/localhost:(\d+)/.exec(line)?.[1]}`;
const ready = /\bready\b.*localhost|localhost.*\bready\b/;

describe('a server without a launcher', { concurrency: 2 }, () => {
  for (const [name, command, env, workers] of [
    ['one process', 'serve', { WORKERS: '1' }, 0],
    ['two workers', 'serve', { WORKERS: '2' }, 2],
    ['the demo', 'demo', {}, 0],
  ] as const)
    test(`${name}: the launcher becomes the server, and hears its signals`, async () => {
      await using workplace = await createMigratedWorkplace();
      using server = launch(workplace, command, { ...env, DRAIN_SECONDS: '300' });
      const url = addressIn(await server.heard(ready));
      assert.equal(childrenOf(server.pid).length, workers);
      server.launcher.kill('SIGHUP');
      assert.equal(await statusOf(`${url}/health/ready`), 200);
      server.launcher.kill('SIGINT');
      await toDrain(url);
      server.launcher.kill('SIGINT');
      assert.equal(await server.closed(), 0);
    });
});

describe('a server and its launcher', { concurrency: 2 }, () => {
  for (const [name, command, env] of [
    ['one process', 'serve', { WORKERS: '1' }],
    ['two workers', 'serve', { WORKERS: '2' }],
    ['the demo', 'demo', {}],
  ] as const) {
    test(`${name}: SIGHUP at any time during the start does no harm`, async () => {
      await using workplace = await createMigratedWorkplace();
      using server = launch(workplace, command, { ...belowNpm, ...env, DRAIN_SECONDS: '0' });
      await toCatch(server.pid, 'SIGHUP');
      const asking = setInterval(() => server.launcher.kill('SIGHUP'), 5);
      let line: string;
      try {
        line = await server.heard(ready);
      } finally {
        clearInterval(asking);
      }
      assert.equal(await statusOf(`${addressIn(line)}/health/ready`), 200);
      server.launcher.kill('SIGTERM');
      assert.equal(await server.closed(), 0);
    });

    test(`${name}: SIGINT to the launcher alone ends the server in order`, async () => {
      await using workplace = await createMigratedWorkplace();
      using server = launch(workplace, command, { ...belowNpm, ...env, DRAIN_SECONDS: '300' });
      const url = addressIn(await server.heard(ready));
      server.launcher.kill('SIGINT');
      await toDrain(url);
      server.launcher.kill('SIGINT');
      assert.equal(await server.closed(), 0);
    });

    test(`${name}: no number of SIGTERM and SIGINT cuts off a request under way`, async () => {
      await using workplace = await createMigratedWorkplace();
      using server = launch(workplace, command, { ...belowNpm, ...env, DRAIN_SECONDS: '300' });
      const url = addressIn(await server.heard(ready));
      const child = childOf(server.pid);
      const headers = { 'content-type': 'application/json', expect: '100-continue' };
      const sent = request(`${url}/api/login`, { method: 'POST', headers, agent: false });
      sent.flushHeaders();
      const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
      await once(sent, 'continue');
      // The first starts the drain, the second ends the drain, and later ones change nothing.
      for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGTERM', 'SIGINT'] as const) {
        for (const pid of [server.pid, child]) process.kill(pid, signal);
        await setTimeout(50);
      }
      sent.end('{}');
      const [answer] = await answered;
      assert.equal(answer.statusCode, 400);
      answer.resume();
      assert.equal(await server.closed(), 0);
    });

    test(`${name}: the server ends in order when the launcher is killed`, async () => {
      await using workplace = await createMigratedWorkplace();
      using server = launch(workplace, command, { ...belowNpm, ...env, DRAIN_SECONDS: '300' });
      const url = addressIn(await server.heard(ready));
      const child = childOf(server.pid);
      assert.deepEqual(running([child]), [child]);
      try {
        server.launcher.kill('SIGKILL');
        // The server drains, as it does at SIGTERM.
        await toDrain(url);
        process.kill(child, 'SIGTERM');
        await server.closed();
        await toEnd([child]);
      } finally {
        signalTree(child, 'SIGKILL');
      }
    });
  }

  test('a server of one process keeps running at SIGHUP, and logs that it cannot reload', async () => {
    await using workplace = await createMigratedWorkplace();
    using server = launch(workplace, 'serve', { ...belowNpm, DRAIN_SECONDS: '0' });
    const url = addressIn(await server.heard(ready));
    server.launcher.kill('SIGHUP');
    assert.equal(JSON.parse(await server.heard(/reload/)).event, 'reload_failed');
    assert.equal(await statusOf(`${url}/health/ready`), 200);
    server.launcher.kill('SIGTERM');
    assert.equal(await server.closed(), 0);
  });

  test('a server of one process ends with its terminal', {
    skip: findProgram('script') === undefined,
  }, async () => {
    await using workplace = await createMigratedWorkplace();
    const terminal = spawn('script', ['-qefc', `"${process.execPath}" "${janua}" serve`, '/dev/null'], {
      cwd: workplace.folder,
      env: { ...belowNpm, PATH: process.env.PATH, PORT: '0', TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: terminal.stdout })) if (ready.test(line)) break;
    // SIGCONT changes nothing. It only lists the processes.
    const all = signalTree(terminal.pid ?? 0, 'SIGCONT');
    assert.ok(all.length > 2);
    terminal.kill('SIGKILL');
    await toEnd(all).finally(() => {
      for (const pid of running(all)) signalTree(pid, 'SIGKILL');
    });
  });
});

test('a name in the file of --env-file that is no setting is noticed', async () => {
  await using workplace = await createMigratedWorkplace();
  writeFileSync(join(workplace.folder, 'janua.env'), 'SMTP=x\nPORT=0\n');
  for (const option of [['--env-file=janua.env'], ['--env-file', 'janua.env'], ['--env-file-if-exists=janua.env']]) {
    const doctor = spawn(process.execPath, [...option, janua, 'doctor'], {
      cwd: workplace.folder,
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.match(await text(doctor.stdout), /SMTP is not a setting of Janua/, option.join());
  }
});
