import type { ChildProcess } from 'node:child_process';
import { readProcesses, readTree, signal, signalTree } from '../test/servers/process-tree.ts';

/** Milliseconds that a test file may take. */
export const fileLimit = 10 * 60_000;

interface FileLimit {
  readonly limit: number;
  /** Milliseconds that it then has to end its servers. */
  readonly grace: number;
  /** Milliseconds between two checks. */
  readonly interval: number;
  readonly print: (text: string) => void;
}

const usual: FileLimit = {
  limit: fileLimit,
  grace: 20_000,
  interval: 1_000,
  print: (text) => process.stdout.write(text),
};

/**
 * Ends every test file that takes too long, with all processes that it started. The runner then reports the file as failed. The
 * runner's own `--test-timeout` only fails the test or hook: a process that goes on, or that is blocked, would keep it waiting.
 * @param runner runs each file in a process of its own
 */
export function limitFiles(runner: ChildProcess, { limit, grace, interval, print }: FileLimit = usual): void {
  const files = new Map<number, { readonly start: number; readonly tree: Set<number> }>();
  const timer = setInterval(check, interval);
  runner.once('exit', () => clearInterval(timer));

  function check(): void {
    const now = performance.now();
    const living = readProcesses().filter(({ parent, state }) => parent === runner.pid && !state.startsWith('Z'));
    for (const { pid } of living) {
      const { start, tree } = files.getOrInsertComputed(pid, () => ({ start: now, tree: new Set<number>() }));
      if (now - start <= limit) continue;
      const isFirst = tree.size === 0;
      // Stopped meanwhile, so that it starts no process that the tree lacks.
      signal(pid, 'SIGSTOP');
      for (const each of readTree(pid)) tree.add(each);
      if (isFirst) {
        print(`  A test file takes longer than ${limit / 1000} s, and is ended.\n`);
        signal(pid, 'SIGTERM');
      }
      if (now - start > limit + grace) signalTree(pid, 'SIGKILL');
      else signal(pid, 'SIGCONT');
    }
    for (const [pid, { tree }] of files) {
      if (living.some((one) => one.pid === pid)) continue;
      // Those that it left running may still hold its output open, and the runner waits for the end of that.
      for (const left of tree) signal(left, 'SIGKILL');
      files.delete(pid);
    }
  }
}
