import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Misconfiguration } from '../faults/misconfiguration.ts';

/** The thread's file: `.ts` in a checkout, `.js` in the published package. */
const thread = new URL(`./backup-thread${extname(import.meta.url)}`, import.meta.url);

/**
 * Copies a consistent snapshot of a SQLite file while other processes write to it. The copy has mode 0600 and is on disk when this
 * returns. It is complete or does not exist. A signal cancels the copy.
 * @throws {Misconfiguration} when there is no file to copy, the copy would replace a file, or it cannot be written
 */
export async function backUpSqlite(path: string, copy: string): Promise<void> {
  if (!existsSync(path)) throw new Misconfiguration('DATABASE_URL: there is no such file.');
  const part = `${copy}.part`;
  // First, so that a signal leaves no partial file behind.
  using scope = new DisposableStack();
  const signal = hearStop(scope);
  try {
    // The file has mode 0600 from the start, because it holds password hashes (ASVS 14.2.4). `wx` fails if another backup writes it.
    await (await open(part, 'wx', 0o600)).close();
  } catch (error) {
    throw cannotWrite(part, error);
  }
  try {
    await copyInto(path, part, signal);
    await sync(part);
    // Unlike a rename, a link never replaces an existing file.
    await link(part, copy);
  } catch (error) {
    throw cannotWrite(copy, error);
  } finally {
    for (const file of [part, `${part}-journal`]) await rm(file, { force: true });
  }
  await sync(dirname(copy));
}

function hearStop(scope: DisposableStack): AbortSignal {
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Error('the backup was cancelled'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, interrupt);
    scope.defer(() => process.off(signal, interrupt));
  }
  return stop.signal;
}

async function copyInto(path: string, part: string, signal: AbortSignal): Promise<void> {
  // Absolute paths, because SQLite reads a name that begins with `file:` as a URI. A URI may mean another file.
  const workerData = { path: resolve(path), part: resolve(part) };
  const copying = new Worker(thread, { execArgv: [], workerData });
  try {
    await once(copying, 'exit', { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    // Until its end it may create `part` once more.
    await copying.terminate();
  }
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function cannotWrite(path: string, error: unknown): Misconfiguration {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST')
    return new Misconfiguration({ message: `${path} already exists.`, fix: 'Choose another file name.' });
  return new Misconfiguration(`${path} cannot be written (${message}).`);
}
