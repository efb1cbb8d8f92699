import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { atProcessEnd, createTemporaryFolder, fastFolder } from './process-end.ts';
import { hasRunning, running, signal, signalTree } from './process-tree.ts';

/** A real server with its own data, for one test. It ends with its scope, or at the latest with the process. */
export interface ThrowAwayServer extends AsyncDisposable {
  /** For DATABASE_URL or REDIS_URL. Has an account with all rights, and names an empty database. */
  readonly url: string;
  readonly port: number;
  /** Stops all processes of the server, and waits until they are. Connections stay open, but get no answer. */
  freeze(): void;
  /** Resumes a frozen server. */
  resume(): void;
  /** Kills all its processes, as a system without memory does, and waits until they are gone. */
  kill(): Promise<void>;
  /** Shuts it down in order, without waiting for its clients. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data, and waits until it accepts connections. */
  start(): Promise<void>;
}

export interface ServerOptions {
  /** Further arguments, which override the common ones. */
  readonly args?: readonly string[];
  /** An empty folder for the data. Every account needs access to it, and the test removes it. */
  readonly folder?: string;
  /** Keeps confirmed writes through `kill()`, as in production. Without it, the server is faster. */
  readonly durable?: boolean;
}

/** The account of the operating system for a server that cannot run as ours. */
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

/** The differences between kinds of servers. */
export interface Kind {
  readonly name: string;
  readonly program: string;
  readonly account?: Account | undefined;
  /** Fills an empty folder with the files of a new server. Some servers do this themselves. */
  readonly initialise?: (folder: string) => Promise<void>;
  args(place: Place): readonly string[];
  url(port: number): string;
  /** Whether this server answers at `url`, because another may have the port. Rejects while none answers. */
  answers(url: string, place: Place, pid: number): Promise<boolean>;
  readonly stopSignal: NodeJS.Signals;
  /** The signal that ends it at once, but lets it remove its files outside of its folders. */
  readonly endSignal: NodeJS.Signals;
}

/** Milliseconds within which a server has to start or stop, and to end at its disposal. */
const patience = 60_000;
const endPatience = 3_000;

/** Milliseconds between two checks, and for the answer to one check. */
const pollInterval = 15;
const answerPatience = 2_000;

/** Ports outside of the range that the system assigns, so that they are still free when a server starts again. */
const ports = { first: 20_000, count: 12_000 };

/** The number of ports to try, because another process may take a port between our check and the start. */
const portAttempts = 5;

const execute = promisify(execFile);

/** Starts a server of that kind on its own port, and waits until it accepts connections. */
export async function startServer(kind: Kind, { folder, args = [] }: ServerOptions): Promise<ThrowAwayServer> {
  const home = createTemporaryFolder(kind.name, fastFolder());
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
    // A test file can end even if it leaves its server running.
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

  /** Returns whether the signal ended it within the milliseconds. If not, it is killed. */
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
      // Bounded, because the id of an ended process may belong to another process by now.
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
      // On a busy machine a process runs on until it is scheduled to receive the signal.
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

/** Blocks, for the end of the process, when no other code runs. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Finds a free port of this machine. */
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

/** The first of these accounts that the system has, for a server that does not run as root. Undefined if this process does not run as root. */
export function findAccount(...names: readonly string[]): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [, , uid, gid] = names.flatMap((name) => accounts.find((fields) => fields[0] === name) ?? []);
  return { uid: Number(uid), gid: Number(gid) };
}

/** Runs a program of the server to its end, as the account of the server. */
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
 * The folder for one data folder of each kind. Every further server gets a copy, because creating one takes longer. Processes
 * with this path in JANUA_TEST_TEMPLATES share the folder.
 */
export async function templateFolder(): Promise<string> {
  const { JANUA_TEST_TEMPLATES } = process.env;
  if (JANUA_TEST_TEMPLATES) return JANUA_TEST_TEMPLATES;
  ownTemplateFolder ??= createTemporaryFolder('templates', fastFolder()).path;
  // The accounts of the servers need access.
  await chmod(ownTemplateFolder, 0o755);
  return ownTemplateFolder;
}

async function copyTemplate(kind: Kind, data: string): Promise<void> {
  const template = templates.get(kind.name) ?? createTemplate(kind);
  templates.set(kind.name, template);
  // Node's own copy function does not keep the owner of the files.
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
