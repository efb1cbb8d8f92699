import type { ImportCounts } from '../core/users/import-batches.ts';
import { printable } from '../ground/text/printable.ts';

const barWidth = 30;

/** Prints lines, and the progress below them if standard error is a terminal. */
export function createTerminal() {
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

/** Returns a function that tells whether a signal has come. The import then ends after its batch. */
export function watchSignals(): () => boolean {
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      isStopped = true;
    });
  return () => isStopped;
}

/** Counts the users of an import in words. */
export const summarize = ({ rows, added, refused }: ImportCounts, isRehearsal: boolean): string =>
  `${isRehearsal ? 'To be added' : 'Added'}: ${added}. There already: ${rows - added - refused}. Refused: ${refused}.`;

export const describeWaiting = (count: number): string => `Waiting for an invitation by the server: ${count}.`;

export const toGoOn = 'Stopped. Run it again to go on. ';
