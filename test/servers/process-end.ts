import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const works = new Set<() => void>();

/**
 * Runs `work` at the exit of this process, or at a signal that ends it. It runs synchronously, because
 * nothing else runs by then, and the last one runs first. Returns a function that cancels it.
 */
export function atProcessEnd(work: () => void): () => void {
  if (works.size === 0) {
    process.on('exit', endAll);
    for (const signal of signals) process.on(signal, endBySignal);
  }
  works.add(work);
  return () => {
    works.delete(work);
    if (works.size === 0) stopListening();
  };
}

/** Bytes that must be free in memory for the folders of stores. All tests together take less than half of it. */
const roomForStores = 2 * 2 ** 30;

/** The parent of folders for stores: in memory if there is room, because a database waits for the disk at every new table. */
export function fastFolder(): string {
  const memory = '/dev/shm';
  try {
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize > roomForStores ? memory : tmpdir();
  } catch {
    return tmpdir();
  }
}

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/** Creates a folder for temporary files, in the system's folder or in another. It is removed with this process at the latest. */
export function createTemporaryFolder(name: string, parent = tmpdir()): TemporaryFolder {
  const path = mkdtempSync(join(parent, `janua-${name}-`));
  const removeFolder = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  const forget = atProcessEnd(removeFolder);
  return {
    path,
    remove() {
      removeFolder();
      forget();
    },
  };
}

function stopListening(): void {
  process.off('exit', endAll);
  for (const signal of signals) process.off(signal, endBySignal);
}

function endAll(): void {
  for (const work of [...works].toReversed()) work();
  works.clear();
  stopListening();
}

function endBySignal(signal: NodeJS.Signals): void {
  // If there is another listener, it decides when the process ends. The exit event follows then.
  if (process.listenerCount(signal) > 1) return;
  endAll();
  process.kill(process.pid, signal);
}
