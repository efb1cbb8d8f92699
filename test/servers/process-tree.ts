import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** The state as in `ps`. Z is a process that has ended, but whose parent has not read its exit code. */
  readonly state: string;
}

/** Sends a signal to a process, unless it has ended already. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Sends a signal to a process and all its descendants, and returns their ids. It goes by parents instead of process groups,
 * because each process of PostgreSQL leads its own group. The first process is stopped meanwhile, so that it starts no more.
 */
export function signalTree(root: number, name: NodeJS.Signals): readonly number[] {
  signal(root, 'SIGSTOP');
  const tree = readTree(root);
  for (const pid of tree.toReversed()) signal(pid, name);
  return tree;
}

/** The ids of a process and all its descendants. */
export function readTree(root: number): readonly number[] {
  const entries = readProcesses();
  const tree = [root];
  for (const pid of tree) tree.push(...entries.filter(({ parent }) => parent === pid).map((entry) => entry.pid));
  return tree;
}

/** The processes that still run. */
export function running(pids: readonly number[]): readonly number[] {
  const alive = new Set(
    readProcesses()
      .filter(({ state }) => !state.startsWith('Z'))
      .map(({ pid }) => pid),
  );
  return pids.filter((pid) => alive.has(pid));
}

/** Whether any of the processes has neither ended nor stopped. */
export function hasRunning(pids: readonly number[]): boolean {
  return readProcesses().some(({ pid, state }) => pids.includes(pid) && !/^[TZ]/.test(state));
}

/** All processes of this machine. */
export function readProcesses(): readonly ProcessEntry[] {
  return existsSync('/proc/self/stat') ? readProc() : readPs();
}

function readProc(): readonly ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        // The name of the program is in parentheses, and may contain parentheses.
        const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(parent), state }];
      } catch {
        return []; // ended since the folder was read
      }
    });
}

function readPs(): readonly ProcessEntry[] {
  const output = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' });
  return output
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, state = '']) => ({ pid: Number(pid), parent: Number(parent), state }));
}
