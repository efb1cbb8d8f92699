import { once } from 'node:events';
import { withOwnCommand } from '../ground/config/own-command.ts';
import { jsonLine, printable } from '../ground/text/printable.ts';

interface Listing<Item> {
  readonly json: boolean | undefined;
  readonly none: string;
  readonly heading: readonly string[];
  toRows(items: Item[]): string[][] | Promise<string[][]>;
}

/** As JSON, prints one line for each item as soon as it is read. @returns the text that remains to be printed */
export async function list<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  { json, none, heading, toRows }: Listing<Item>,
): Promise<string> {
  if (json) {
    for await (const item of items) await writeLine(jsonLine(item));
    return '';
  }
  const all = await Array.fromAsync(items);
  return all.length === 0 ? withOwnCommand(none) : formatTable([heading, ...(await toRows(all))]);
}

/** Writes a line, and waits until the reader keeps up, because an export may be far larger than memory. */
export async function writeLine(line: string): Promise<void> {
  if (!process.stdout.write(line)) await once(process.stdout, 'drain');
}

/** A time as tables show it, in UTC, such as `2026-11-24 08:00`. */
export const minuteOf = (time: Date | undefined) => time?.toISOString().slice(0, 16).replace('T', ' ') ?? '';
export const secondOf = (time: Date) => time.toISOString().slice(0, 19).replace('T', ' ');

function formatTable(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable));
  const widthOf = (column: number) => rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0);
  const widths = (rows[0] ?? []).map((_, column) => widthOf(column));
  const lineOf = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => lineOf(row).trimEnd()).join('\n');
}
