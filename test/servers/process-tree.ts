import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** As `ps` abbreviates it: Z is a process that has ended and whose parent has not yet heard of it. */
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
 * Sends a signal to a process and all its descendants, and returns their ids. By parentage rather than by process group,
 * because each of PostgreSQL's processes leads a group of its own. The first is stopped meanwhile, and so bears no more.
 */
export function signalTree(root: number, name: NodeJS.Signals): readonly number[] {
  signal(root, 'SIGSTOP');
  const entries = readProcesses();
  const tree = [root];
  for (const pid of tree) tree.push(...entries.filter(({ parent }) => parent === pid).map((entry) => entry.pid));
  for (const pid of tree.toReversed()) signal(pid, name);
  return tree;
}

/** Those of the processes that still run. */
export function running(pids: readonly number[]): readonly number[] {
  const alive = new Set(
    readProcesses()
      .filter(({ state }) => !state.startsWith('Z'))
      .map(({ pid }) => pid),
  );
  return pids.filter((pid) => alive.has(pid));
}

/** Whether one of the processes has neither ended nor been halted. */
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
        // The program's name stands in parentheses, and may hold some itself.
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
