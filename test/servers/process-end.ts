import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const works = new Set<() => void>();

/**
 * What must not outlive this process is ended by `work`, at its exit or at a signal that ends it; synchronously, since
 * nothing else runs by then, and the last first. Returns how to take it back.
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

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/** A folder where the operating system keeps what is temporary, or in another one; removed with this process at the latest. */
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
  // Another who listens decides when the process ends, and its exit is heard then.
  if (process.listenerCount(signal) > 1) return;
  endAll();
  process.kill(process.pid, signal);
}
