import { open, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { type ImportOptions, importRows, noRows } from '../core/users/import-rows.ts';
import { labelOf } from '../core/users/imports.ts';
import { mayNotRead } from '../ground/config/account-name.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { printable } from '../ground/text/printable.ts';
import { administer } from './administer.ts';
import { requireOwnUsers } from './users.ts';

/** Imports users from a file. A signal ends the import after its batch. The next run continues, because existing users stay as they are. */
export const importUsers = (
  path: string,
  { dryRun = false, invite = false }: { readonly dryRun?: boolean; readonly invite?: boolean },
) =>
  administer('janua users import', async ({ importUsers, imports, groups }, caller) => {
    const addUsers = requireOwnUsers(importUsers);
    const { begin, countWaiting } = requireOwnUsers(imports);
    const made = begin(path === '-' ? '' : labelOf(basename(path)), invite);
    const knownGroups = new Set(await groups.names());
    const { input, progress } = await openInput(path);
    const terminal = createTerminal();
    const counts = noRows();
    let isStopped = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        isStopped = true;
      });
    const options: ImportOptions = {
      knownGroups,
      // Each batch is one event: an event for each user would hide every other event of the day.
      addUsers: (users, refuse) => addUsers(users, { import: made, actor: { caller }, isRehearsal: dryRun }, refuse),
      refuse: (line, { message }) => terminal.print(`line ${line}: ${message}`),
      onBatch: (rows) => terminal.showProgress(rows, progress()),
      isStopped: () => isStopped,
    };
    try {
      await importRows(input, options, counts);
    } finally {
      terminal.clear();
    }
    const { rows, added, refused } = counts;
    const summary =
      `${isStopped ? 'Stopped. Run it again to go on. ' : ''}${dryRun ? 'To be added' : 'Added'}: ${added}. ` +
      `There already: ${rows - added - refused}. Refused: ${refused}.` +
      (invite && !dryRun ? ` Waiting for an invitation by the server: ${await countWaiting(made.id)}.` : '');
    if (refused > 0 || isStopped) throw new ChangeRefused(summary);
    return summary;
  });

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

const barWidth = 30;

/** Prints lines, and the progress below them if standard error is a terminal. */
function createTerminal() {
  const { stderr } = process;
  const clear = () => stderr.isTTY && stderr.write('\r\u001b[K');
  return {
    clear,
    print(text: string): void {
      clear();
      stderr.write(`${printable(text)}\n`);
    },
    /** @param share of the file that was read, up to 1 */
    showProgress(rows: number, share: number | undefined): void {
      if (!stderr.isTTY) return;
      const full = Math.round((share ?? 0) * barWidth);
      const bar = share === undefined ? '' : `[${'#'.repeat(full)}${' '.repeat(barWidth - full)}] `;
      stderr.write(`\r${bar}${rows.toLocaleString('en')} rows`);
    },
  };
}
