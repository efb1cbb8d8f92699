import { open, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { noRows } from '../core/users/import-batches.ts';
import { commandColumns } from '../core/users/import-columns.ts';
import { importRows, type RowOptions } from '../core/users/import-rows.ts';
import { labelOf } from '../core/users/imports.ts';
import { mayNotRead } from '../ground/config/account-name.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { administer, operator } from './administer.ts';
import { createTerminal, describeWaiting, summarize, toGoOn, watchSignals } from './import-terminal.ts';
import { requireOwnUsers } from './users.ts';

interface ImportFlags {
  readonly dryRun?: boolean;
  readonly invite?: boolean;
  readonly map?: readonly string[];
}

/** Imports users from a file. A signal ends the import after its batch. The next run continues, because existing users stay as they are. */
export const importUsers = (path: string, { dryRun = false, invite = false, map }: ImportFlags) =>
  administer('janua users import', async ({ importUsers, imports, groups }, caller) => {
    const columns = map && readMap(map);
    const addUsers = requireOwnUsers(importUsers);
    const { begin, countWaiting } = requireOwnUsers(imports);
    const made = begin(path === '-' ? '' : labelOf(basename(path)), invite);
    const knownGroups = new Set(await groups.names());
    const { input, progress } = await openInput(path);
    const terminal = createTerminal();
    const counts = noRows();
    const isStopped = watchSignals();
    const options: RowOptions = {
      knownGroups,
      columns,
      operator: operator(),
      // Each batch is one event: an event for each user would hide every other event of the day.
      addUsers: (users, refuse) => addUsers(users, { import: made, actor: { caller }, isRehearsal: dryRun }, refuse),
      refuse: (line, { message }) => terminal.print(`line ${line}: ${message}`),
      onLeftOut: (column) => terminal.print(`The column ${column} is not read.`),
      onBatch: (rows) => terminal.showProgress(rows, progress()),
      isStopped,
    };
    try {
      await importRows(input, options, counts);
    } finally {
      terminal.clear();
    }
    const waiting = invite && !dryRun ? ` ${describeWaiting(await countWaiting(made.id))}` : '';
    const summary = `${isStopped() ? toGoOn : ''}${summarize(counts, dryRun)}${waiting}`;
    if (counts.refused > 0 || isStopped()) throw new ChangeRefused(summary);
    return summary;
  });

/** Reads the columns of `--map`, each with its name here. @throws {Misconfiguration} */
function readMap(entries: readonly string[]): ReadonlyMap<string, string> {
  const columns = new Map<string, string>();
  for (const entry of entries) {
    const cut = entry.lastIndexOf('=');
    const [theirs, ours] = [entry.slice(0, Math.max(0, cut)), entry.slice(cut + 1)];
    if (theirs === '' || !commandColumns.some((column) => column === ours))
      throw new Misconfiguration(`--map must be COLUMN=NAME, where NAME is one of: ${commandColumns.join(', ')}.`);
    if (columns.has(theirs) || [...columns.values()].includes(ours))
      throw new Misconfiguration(`--map names ${columns.has(theirs) ? theirs : ours} twice.`);
    columns.set(theirs, ours);
  }
  return columns;
}

/** @param path `-` for standard input */
async function openInput(path: string) {
  if (path === '-') return { input: process.stdin.setEncoding('latin1'), progress: () => undefined };
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    const file = await open(path);
    const input = file.createReadStream({ encoding: 'latin1' });
    return { input, progress: () => input.bytesRead / stats.size };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES')
      throw new Misconfiguration(`${mayNotRead(path)} Pass it on: ./bin/janua users import - < ${path}`);
    throw new Misconfiguration(`${resolve(path)} cannot be read (${code}).`);
  }
}
