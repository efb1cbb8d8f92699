import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { atProcessEnd, createTemporaryFolder } from './process-end.ts';
import { hasRunning, running, signal, signalTree } from './process-tree.ts';

/** A real server with data of its own, for what a test does to it; ended with its scope, or at the latest with the process. */
export interface ThrowAwayServer extends AsyncDisposable {
  /** For DATABASE_URL or REDIS_URL, of an account that may do everything; it names a database that exists and is empty. */
  readonly url: string;
  readonly port: number;
  /** Halts all processes of the server where they are, and waits until they are: connections stay, and nobody answers. */
  freeze(): void;
  /** Lets a frozen server go on. */
  resume(): void;
  /** Ends all its processes as the system does that has run out of memory, and waits until they are gone. */
  kill(): Promise<void>;
  /** Ends it in its own orderly way, without waiting for its clients to leave. */
  stop(): Promise<void>;
  /** Starts it again, on the same port and data, and waits until it takes connections. */
  start(): Promise<void>;
}

export interface ServerOptions {
  /** Arguments after those that every such server gets, over which they win. */
  readonly args?: readonly string[];
  /** An empty folder for the data, on a disk of the test's own. Any account must get to it; the test removes it. */
  readonly folder?: string;
  /** Keeps through `kill()` what it has confirmed, as it would in production; else speed matters more. */
  readonly durable?: boolean;
}

/** The account of the operating system as which a server runs, where it must not be ours. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface Place {
  /** Folder for the data. */
  readonly data: string;
  /** Folder for everything else. */
  readonly home: string;
  readonly port: number;
}

/** What differs from one kind of server to another. */
export interface Kind {
  readonly name: string;
  readonly program: string;
  readonly account?: Account | undefined;
  /** Fills an empty folder with what a new server has; some fill their own. */
  readonly initialise?: (folder: string) => Promise<void>;
  args(place: Place): readonly string[];
  url(port: number): string;
  /** Whether the one that answers a query at `url` is this server: the port may be another's. Rejects while none does. */
  answers(url: string, place: Place, pid: number): Promise<boolean>;
  readonly stopSignal: NodeJS.Signals;
  /** Ends it at once, but not without what it has outside of its folders. */
  readonly endSignal: NodeJS.Signals;
}

/** Longest that a server may take to come up or to stop, and to end when it is thrown away, in milliseconds. */
const patience = 30_000;
const endPatience = 3_000;

/** Between two looks at whether something has come or gone, and for one answer to whether it has come, in milliseconds. */
const pollInterval = 15;
const answerPatience = 2_000;

/** Ports that the system gives to nobody who asks for any, so that they are still free when a server starts again. */
const ports = { first: 20_000, count: 12_000 };

/** How many ports are tried where somebody takes them between our look and the server's. */
const portAttempts = 5;

const execute = promisify(execFile);

/** Starts a server of that kind on a port of its own, and waits until it takes connections. */
export async function startServer(kind: Kind, { folder, args = [] }: ServerOptions): Promise<ThrowAwayServer> {
  const home = createTemporaryFolder(kind.name);
  try {
    const data = folder ?? join(home.path, 'data');
    await mkdir(data, { recursive: true });
    for (const path of [home.path, data]) await giveTo(kind.account, path);
    if (kind.initialise !== undefined) await copyTemplate(kind, data);
    return await startSomewhere(kind, { home: home.path, data }, args, home.remove);
  } catch (error) {
    home.remove();
    throw error;
  }
}

async function startSomewhere(
  kind: Kind,
  folders: Omit<Place, 'port'>,
  args: readonly string[],
  removeHome: () => void,
): Promise<ThrowAwayServer> {
  for (let attempt = 1; ; attempt += 1) {
    const server = createServerAt(kind, { ...folders, port: await findFreePort() }, args, removeHome);
    try {
      await server.start();
      return server;
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === portAttempts) throw error;
    }
  }
}

class PortTaken extends Error {}

function createServerAt(kind: Kind, place: Place, args: readonly string[], removeHome: () => void): ThrowAwayServer {
  const url = kind.url(place.port);
  const log = join(place.home, 'log');
  let child: ChildProcess | undefined;
  let forget = () => {};

  const complain = async (what: string) => new Error(`${kind.name} ${what}:\n${await readFile(log, 'utf8')}`);

  async function launch(): Promise<void> {
    const output = openSync(log, 'w');
    child = spawn(kind.program, [...kind.args(place), ...args], {
      cwd: place.home,
      env: { PATH: process.env.PATH },
      stdio: ['ignore', output, output],
      ...kind.account,
    });
    closeSync(output);
    // A file of tests that leaves its server running still comes to its end.
    child.unref();
    await once(child, 'spawn');
    forget = atProcessEnd(endNow);
  }

  async function comeUp(): Promise<void> {
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      if (!isRunning(child)) {
        forget();
        const error = await complain('ended before it took connections');
        throw /address already in use/i.test(error.message) ? new PortTaken(error.message) : error;
      }
      const answered = kind.answers(url, place, child.pid).catch(() => false);
      if (await Promise.race([answered, setTimeout(answerPatience, false, { ref: false })])) return;
      await setTimeout(pollInterval);
    }
    await end('SIGKILL', 0);
    throw await complain(`took no connections within ${patience} ms`);
  }

  /** Returns whether the signal ended it within the milliseconds; else it was ended by force. */
  async function end(by: NodeJS.Signals, milliseconds: number): Promise<boolean> {
    if (!isRunning(child)) return true;
    const { pid } = child;
    child.ref();
    const ended = once(child, 'exit').then(() => true);
    if (by !== 'SIGKILL') {
      signalTree(pid, 'SIGCONT');
      signal(pid, by);
    }
    const obeyed = by !== 'SIGKILL' && (await Promise.race([ended, setTimeout(milliseconds, false, { ref: false })]));
    if (!obeyed) {
      const tree = signalTree(pid, 'SIGKILL');
      await ended;
      // Bounded: the number of a process that is gone may be another's by now.
      const deadline = performance.now() + endPatience;
      while (running(tree).length > 0 && performance.now() < deadline) await setTimeout(pollInterval);
    }
    forget();
    return obeyed;
  }

  function endNow(): void {
    if (!isRunning(child)) return;
    const { pid } = child;
    signalTree(pid, 'SIGCONT');
    signal(pid, kind.endSignal);
    const deadline = performance.now() + endPatience;
    while (running([pid]).length > 0 && performance.now() < deadline) sleep(pollInterval);
    const tree = signalTree(pid, 'SIGKILL');
    const killed = performance.now() + endPatience;
    while (running(tree).length > 0 && performance.now() < killed) sleep(pollInterval);
  }

  return {
    url,
    port: place.port,
    freeze() {
      if (!isRunning(child)) return;
      const tree = signalTree(child.pid, 'SIGSTOP');
      // On a busy machine a process goes on until it is scheduled to hear of it.
      const deadline = performance.now() + endPatience;
      while (hasRunning(tree) && performance.now() < deadline) sleep(1);
    },
    resume() {
      if (isRunning(child)) signalTree(child.pid, 'SIGCONT');
    },
    async kill() {
      await end('SIGKILL', 0);
    },
    async stop() {
      if (!(await end(kind.stopSignal, patience))) throw await complain(`did not stop within ${patience} ms`);
    },
    async start() {
      if (isRunning(child)) throw new Error(`${kind.name} is running`);
      await launch();
      await comeUp();
    },
    async [Symbol.asyncDispose]() {
      await end(kind.endSignal, endPatience);
      removeHome();
    },
  };
}

function isRunning(child: ChildProcess | undefined): child is ChildProcess & { readonly pid: number } {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Waits on the spot, for when the process ends and nothing else goes on. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** A port of this machine that nobody uses now. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = ports.first + Math.floor(Math.random() * ports.count);
    const probe = createServer().listen(port, '127.0.0.1');
    try {
      await once(probe, 'listening');
    } catch {
      continue;
    }
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

async function giveTo(account: Account | undefined, path: string): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

/** Runs one of a server's programs to its end, as the server's account. */
export async function runAs(account: Account | undefined, program: string, args: readonly string[]): Promise<void> {
  const options = { cwd: '/', env: { PATH: process.env.PATH }, timeout: patience, ...account };
  const finished = execute(program, [...args], options);
  const forget = atProcessEnd(() => {
    if (isRunning(finished.child)) signalTree(finished.child.pid, 'SIGKILL');
  });
  await finished.finally(forget);
}

const templates = new Map<string, Promise<string>>();
let ownTemplateFolder: string | undefined;

/**
 * Where one data folder of each kind is kept, to be copied for every further server: to make one takes longer. Processes
 * that get this path as JANUA_TEST_TEMPLATES share them.
 */
export async function templateFolder(): Promise<string> {
  const { JANUA_TEST_TEMPLATES } = process.env;
  if (JANUA_TEST_TEMPLATES) return JANUA_TEST_TEMPLATES;
  ownTemplateFolder ??= createTemporaryFolder('templates').path;
  // The servers' accounts have to get through.
  await chmod(ownTemplateFolder, 0o755);
  return ownTemplateFolder;
}

async function copyTemplate(kind: Kind, data: string): Promise<void> {
  const template = templates.get(kind.name) ?? createTemplate(kind);
  templates.set(kind.name, template);
  // Node's own way to copy does not keep whose the files are.
  await execute('cp', ['-a', `${await template}/.`, data], { timeout: patience });
}

async function createTemplate({ name, account, initialise }: Kind): Promise<string> {
  const folder = await templateFolder();
  const template = join(folder, name);
  const own = await mkdtemp(`${template}-`);
  await giveTo(account, own);
  await initialise?.(own);
  try {
    await rename(own, template);
  } catch {
    // Another process was first.
    await rm(own, { recursive: true, force: true });
  }
  return template;
}
