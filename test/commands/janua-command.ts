import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { atProcessEnd, createTemporaryFolder, fastFolder } from '../servers/process-end.ts';
import { templateFolder } from '../servers/throw-away-server.ts';
import { storeTimeoutSeconds } from '../stores.ts';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const host = fileURLToPath(new URL('command-host.ts', import.meta.url));

/** The folder for compiled code, the same as the launcher in `bin/` uses. A command then starts in half the time. */
const compiled = fileURLToPath(new URL('../../node_modules/.cache/janua', import.meta.url));

/** Milliseconds after which a hanging command is killed and its test fails. */
const patience = 60_000;

type Environment = Readonly<Record<string, string>>;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty folder in which the `janua` command runs. Its disposal ends all processes that were started in it. */
export interface Workplace extends AsyncDisposable {
  readonly folder: string;
  /**
   * Runs a command to its end, in a process that all commands of the test file share.
   * @param alone in its own process. Then `limit` is in milliseconds, after which it is killed
   */
  run(
    args: readonly string[],
    options?: {
      readonly env?: Environment;
      readonly input?: string;
      readonly alone?: boolean;
      readonly limit?: number;
    },
  ): Promise<Finished>;
  /** Starts a command without waiting for it. */
  launch(args: readonly string[], env: Environment, limit?: number): ChildProcessWithoutNullStreams;
  /** Starts a server and waits until it reports ready. @param limit milliseconds after which it is killed */
  start(args: readonly string[], env?: Environment, limit?: number): Promise<Running>;
}

export interface Running {
  readonly url: string;
  readonly process: ChildProcessWithoutNullStreams;
  /** Everything that the server printed before it was ready. */
  readonly output: string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A workplace with the tables of `janua migrate`. The first one of a test run is migrated, and the others are copies of it. */
export async function createMigratedWorkplace(): Promise<Workplace> {
  const workplace = await createWorkplace();
  const data = join(workplace.folder, 'data');
  const template = join(await templateFolder(), 'migrated');
  if (existsSync(template)) {
    await cp(template, data, { recursive: true });
    return workplace;
  }
  const { code, stderr } = await workplace.run(['migrate']);
  if (code !== 0) throw new Error(`the tables were not made: ${stderr}`);
  const own = await mkdtemp(`${template}-`);
  await cp(data, own, { recursive: true });
  // Another process may be first.
  await rename(own, template).catch(() => rm(own, { recursive: true }));
  return workplace;
}

export const ownEnvironment = () => ({ PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: compiled });

/** An environment in which the account of a command may not open the files whose path has this part. Root may open all. */
export function shutting(part: string): Environment {
  const program = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
    for (const [holder, name] of [[fs.promises, 'open'], [fs.promises, 'readFile'], [fs, 'openSync'], [fs, 'statSync'], [fs, 'readFileSync']]) {
      const open = holder[name];
      holder[name] = function (path, ...rest) {
        if (!String(path).includes(${JSON.stringify(part)})) return open.call(this, path, ...rest);
        const error = Object.assign(new Error('no'), { code: 'EACCES' });
        if (holder === fs) throw error;
        return Promise.reject(error);
      };
    }
    syncBuiltinESMExports();`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(program)}` };
}

/** Node reads these variables only at its start. */
const readByNode = (env: Environment) => Object.keys(env).some((name) => name.startsWith('NODE_'));

interface Order {
  /** The file of a program that ends as soon as it is loaded. */
  readonly program: string;
  readonly folder: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly input: string;
}

let channel: Socket | undefined;
const ordered: PromiseWithResolvers<Finished>[] = [];

/** Runs a command in `command-host.ts`, because starting a process takes far longer than most commands. */
export function runInHost(order: Order): Promise<Finished> {
  channel ??= startHost();
  const finished = Promise.withResolvers<Finished>();
  ordered.push(finished);
  refer(channel);
  channel.write(`${JSON.stringify(order)}\n`);
  return finished.promise;
}

function startHost(): Socket {
  const child = spawn(process.execPath, [host], {
    env: ownEnvironment(),
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  child.unref();
  const opened = child.stdio[3] as Socket;
  createInterface({ input: opened }).on('line', (line) => {
    ordered.shift()?.resolve(JSON.parse(line));
    refer(opened);
  });
  child.once('exit', () => {
    channel = undefined;
    for (const { reject } of ordered.splice(0)) reject(new Error('the process of the commands has ended'));
  });
  return opened;
}

/** The host keeps this process alive only while it runs a command. It ends with this process. */
const refer = (opened: Socket) => opened[ordered.length > 0 ? 'ref' : 'unref']();

/** @param program runs in place of our own `src/cli.ts` */
export async function createWorkplace(program = cli): Promise<Workplace> {
  const { path: folder, remove } = createTemporaryFolder('command', fastFolder());
  const started = new Set<ChildProcessWithoutNullStreams>();

  function launch(args: readonly string[], env: Environment, limit = patience): ChildProcessWithoutNullStreams {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      env: { ...ownEnvironment(), ...env },
      timeout: limit,
    });
    started.add(child);
    const forget = atProcessEnd(() => child.kill('SIGKILL'));
    child.once('exit', () => {
      started.delete(child);
      forget();
    });
    return child;
  }

  return {
    folder,
    launch,

    async run(args, { env = {}, input = '', alone = false, limit } = {}) {
      if (!alone && !readByNode(env))
        return runInHost({ program, folder, args, env: { ...ownEnvironment(), ...env }, input });
      const child = launch(args, env, limit);
      child.stdin.end(input);
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      return { code, stdout, stderr };
    },

    async start(args, env = {}, limit = patience) {
      const usual = { PORT: '0', DRAIN_SECONDS: '0', STORE_TIMEOUT_SECONDS: `${storeTimeoutSeconds}` };
      const child = launch(args, { ...usual, ...env }, limit);
      const errors = text(child.stderr);
      let output = '';
      for await (const line of createInterface({ input: child.stdout })) {
        output += `${line}\n`;
        // Both `serve` and `demo` print the real port. The demo's greeting has further lines.
        const port = /http:\/\/localhost:(\d+)\n|"port":(\d+)/.exec(output)?.slice(1).find(Boolean);
        if (port === undefined || !/"msg":"ready"|Ctrl\+C/.test(line)) continue;
        return {
          url: `http://127.0.0.1:${port}`,
          process: child,
          output,
          async stop(signal = 'SIGTERM') {
            const closed = once(child, 'close');
            child.stdout.resume();
            child.kill(signal);
            const [code] = await closed;
            return code;
          },
        };
      }
      throw new Error(`the server did not start: ${await errors}`);
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...started].map(async (child) => {
          const closed = once(child, 'exit');
          child.kill('SIGKILL');
          await closed;
        }),
      );
      remove();
    },
  };
}
