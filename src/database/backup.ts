import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Misconfiguration } from '../faults/misconfiguration.ts';

/** The file of the thread: types are stripped here, and gone in what is published. */
const thread = new URL(`./backup-thread${extname(import.meta.url)}`, import.meta.url);

/**
 * Copies a SQLite file as it is at one moment, while others write to it. The copy has mode 0600, is on the disk when this returns,
 * and is there whole or not at all. A signal to stop stops it.
 * @throws {Misconfiguration} when there is nothing to copy, the copy would replace something, or it cannot be written
 */
export async function backUpSqlite(path: string, copy: string): Promise<void> {
  if (!existsSync(path)) throw new Misconfiguration('DATABASE_URL: there is no such file.');
  const part = `${copy}.part`;
  // Before there is anything that a signal could leave behind.
  using stop = hearStop();
  try {
    // Of its own mode from the start: it holds password hashes (ASVS 14.2.4). Another backup to the same place is let be.
    await (await open(part, 'wx', 0o600)).close();
  } catch (error) {
    throw cannotWrite(part, error);
  }
  try {
    await copyInto(path, part, stop.signal);
    await sync(part);
    // Unlike a renaming, this never replaces what is there.
    await link(part, copy);
  } catch (error) {
    throw cannotWrite(copy, error);
  } finally {
    for (const file of [part, `${part}-journal`]) await rm(file, { force: true });
  }
  await sync(dirname(copy));
}

/** Keeps signals from ending the process: they stop what is under way. */
function hearStop(): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Error('it was stopped'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, interrupt);
    },
  };
}

/** On a thread of its own, so that a signal is heard meanwhile. */
async function copyInto(path: string, part: string, signal: AbortSignal): Promise<void> {
  // SQLite would read a name that begins with `file:` as a URI, which may mean another file.
  const workerData = { path: resolve(path), part: resolve(part) };
  const copying = new Worker(thread, { execArgv: [], workerData });
  try {
    await once(copying, 'exit', { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    copying.unref();
  }
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function cannotWrite(path: string, error: unknown): Misconfiguration {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EEXIST')
    return new Misconfiguration({ message: `${path} is there already.`, fix: 'Name a file that is not.' });
  return new Misconfiguration(`${path} cannot be written (${error instanceof Error ? error.message : error}).`);
}
