import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { type ImportRow, importColumns } from '../core/users/import-users.ts';
import { readCsvLine } from '../ground/text/csv.ts';

/** In bytes. */
const longestLine = 65_536;

export interface NumberedRow {
  /** From 1. */
  readonly line: number;
  /** @throws {ChangeRefused} */
  read(): ImportRow;
}

type Parse = (line: string) => ImportRow;

/**
 * Reads JSON lines, or CSV with a header. Each row is one line, so that a wrong quote spoils no other row.
 * @param input as Latin-1, so that each character is a byte
 * @throws {ChangeRefused} for a wrong header
 */
export async function* readRows(input: Readable): AsyncGenerator<NumberedRow> {
  let line = 0;
  let parse: Parse | undefined;
  for await (const bytes of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (bytes.trim() === '') continue;
    parse ??= bytes.replace(/^ï»¿/, '').startsWith('{') ? parseJson : undefined;
    const parseRow = parse;
    if (parseRow !== undefined) yield { line, read: () => parseRow(decode(bytes)) };
    else parse = createCsvParser(decode(bytes));
  }
}

function decode(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  if (bytes.length > longestLine) throw new ChangeRefused(`The line has more than ${longestLine} bytes.`);
  if (!isUtf8(bytes)) throw new ChangeRefused('The line is not UTF-8.');
  return bytes.toString().replace(/^\ufeff/, '');
}

const fieldsOf = (line: string): string[] => {
  const fields = readCsvLine(line);
  if (fields === undefined) throw new ChangeRefused('The quotes do not fit. A field cannot go on in the next line.');
  return fields;
};

function createCsvParser(header: string): Parse {
  const columns = fieldsOf(header).map((name) => name.trim().toLowerCase());
  requireColumns(columns);
  if (!columns.includes(importColumns[0])) throw new ChangeRefused(`The first line has no column ${importColumns[0]}.`);
  return (line) => {
    const fields = fieldsOf(line);
    if (fields.length !== columns.length)
      throw new ChangeRefused(`The line has another number of fields (${fields.length}) than the first line.`);
    return Object.fromEntries(columns.map((name, index) => [name, fields[index]]));
  };
}

function parseJson(line: string): ImportRow {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {}
  if (typeof value !== 'object' || value === null) throw new ChangeRefused('The line is no JSON object.');
  requireColumns(Object.keys(value));
  return value;
}

function requireColumns(names: readonly string[]): void {
  const columns: readonly string[] = importColumns;
  const unknown = names.find((name, index) => !columns.includes(name) || names.indexOf(name) !== index);
  if (unknown === undefined) return;
  throw new ChangeRefused(
    `The column ${unknown.slice(0, 40)} is unknown or there twice. There are: ${columns.join(', ')}.`,
  );
}
