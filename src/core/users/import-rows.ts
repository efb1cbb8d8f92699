import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { readCsvLine, type Separator, separatorOf } from '../../ground/text/csv.ts';
import { utf16Of } from '../../ground/text/decode-text.ts';
import { Unreadable } from './change-refused.ts';
import { type ImportCounts, type ImportOptions, importUsers, type NumberedUser } from './import-batches.ts';
import { commandColumns, type ImportRow, importColumns, readImportRow } from './import-columns.ts';

/** The longest line, in bytes. */
const longestLine = 65_536;

interface NumberedRow {
  /** The number of the line, from 1. */
  readonly line: number;
  /** @throws {Unreadable} */
  read(): ImportRow;
}

type Parse = (line: string) => ImportRow;

/** Converts UTF-16 to UTF-8, and passes other input on unchanged. @param input as Latin-1, so that each character is a byte */
async function* withoutUtf16(input: AsyncIterable<string>): AsyncGenerator<string> {
  let start: string | undefined = '';
  let decoder: TextDecoder | undefined;
  for await (const bytes of input) {
    let chunk = bytes;
    if (start !== undefined) {
      start += bytes;
      if (start.length < 2) continue;
      const encoding = utf16Of(start.slice(0, 2));
      if (encoding !== undefined) decoder = new TextDecoder(encoding);
      chunk = start;
      start = undefined;
    }
    yield decoder === undefined ? chunk : toUtf8(decoder.decode(Buffer.from(chunk, 'latin1'), { stream: true }));
  }
  if (start) yield start;
}

/** Encodes a text in UTF-8, and returns each byte as a Latin-1 character. */
const toUtf8 = (text: string) => Buffer.from(text).toString('latin1');

/**
 * Reads JSON lines, or CSV with a header. A row of CSV is one line too, so that a wrong quote spoils no other row.
 * @param input as Latin-1, so that each character is a byte
 * @throws {Unreadable} for a wrong header
 */
async function* readRows(input: Readable, nameColumns: NameColumns): AsyncGenerator<NumberedRow> {
  let line = 0;
  let parse: Parse | undefined;
  const decode = createDecoder();
  const bytesOfLines = Readable.from(withoutUtf16(input));
  for await (const bytes of createInterface({ input: bytesOfLines, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    // Empty lines count too: a file may have a million.
    if (line % rowsAtOnce === 0) await setImmediate();
    if (bytes.trim() === '') continue;
    parse ??= bytes.replace(/^ï»¿/, '').startsWith('{') ? (row) => parseJson(row, nameColumns) : undefined;
    const parseRow = parse;
    if (parseRow !== undefined) yield { line, read: () => parseRow(decode(bytes)) };
    else parse = createCsvParser(decode(bytes), nameColumns);
  }
}

/**
 * Decodes the lines of one file. The first line with another character than ASCII decides between UTF-8 and Windows-1252, which Excel
 * writes as "CSV". A later line of the other encoding is refused, because its names would be garbled.
 */
function createDecoder(): (latin1: string) => string {
  let isFileUtf8: boolean | undefined;
  return (latin1) => {
    const bytes = Buffer.from(latin1, 'latin1');
    if (bytes.length > longestLine) throw new Unreadable('The line has more than {most} bytes.', { most: longestLine });
    if (!/[\x80-\xff]/.test(latin1)) return latin1;
    const isLineUtf8 = isUtf8(bytes);
    isFileUtf8 ??= isLineUtf8;
    if (isFileUtf8 !== isLineUtf8)
      throw new Unreadable(
        'The lines before have another encoding. Save the file in one encoding: in Excel, as "CSV UTF-8".',
      );
    // `TextDecoder` removes a byte order mark.
    return new TextDecoder(isFileUtf8 ? 'utf-8' : 'windows-1252').decode(bytes);
  };
}

const fieldsOf = (line: string, separator: Separator): string[] => {
  const fields = readCsvLine(line, separator);
  if (fields === undefined) throw new Unreadable('The quotes do not fit. A field cannot go on in the next line.');
  return fields;
};

function createCsvParser(header: string, nameColumns: NameColumns): Parse {
  const separator = separatorOf(header);
  const columns = nameColumns(fieldsOf(header, separator).map((name) => name.trim()));
  const [required] = importColumns;
  if (!columns.includes(required)) throw new Unreadable('The first line has no column {column}.', { column: required });
  return (line) => {
    const fields = fieldsOf(line, separator);
    if (fields.length !== columns.length)
      throw new Unreadable('The line has another number of fields ({count}) than the first line.', {
        count: fields.length,
      });
    return toRow(columns, fields);
  };
}

function parseJson(line: string, nameColumns: NameColumns): ImportRow {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {}
  if (typeof value !== 'object' || value === null) throw new Unreadable('The line is no JSON object.');
  return toRow(nameColumns(Object.keys(value)), Object.values(value));
}

const toRow = (columns: readonly (string | undefined)[], values: readonly unknown[]): ImportRow =>
  Object.fromEntries(columns.flatMap((name, index) => (name === undefined ? [] : [[name, values[index]]])));

/** Returns our names of the columns of a file. Undefined for a column that is left out. @throws {Unreadable} */
type NameColumns = (names: readonly string[]) => readonly (string | undefined)[];

/** Most columns that `onLeftOut` names, because each line of JSON may have others. */
const mostLeftOut = 100;

function createNameColumns({ operator, columns, onLeftOut }: RowOptions): NameColumns {
  const known: readonly string[] = operator === undefined ? importColumns : commandColumns;
  const mapped = new Set(columns?.values());
  const leftOut = new Set<string>();

  function nameColumn(name: string): string | undefined {
    const own = name.toLowerCase();
    if (columns === undefined) return own;
    const found = columns.get(name) ?? (known.includes(own) && !mapped.has(own) ? own : undefined);
    if (found === undefined && !leftOut.has(name) && leftOut.size < mostLeftOut) {
      leftOut.add(name);
      onLeftOut?.(name.slice(0, 40));
    }
    return found;
  }

  return (names) => {
    const named = names.map(nameColumn);
    requireColumns(
      named.filter((name) => name !== undefined),
      known,
    );
    return named;
  };
}

function requireColumns(names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
  if (unknown === undefined) return;
  throw new Unreadable('The column {column} is unknown or there twice. There are: {columns}.', {
    column: unknown.slice(0, 40),
    columns: known.join(', '),
  });
}

/** Lines that are read before other requests get a turn. */
const rowsAtOnce = 500;

export interface RowOptions extends ImportOptions {
  readonly knownGroups: ReadonlySet<string>;
  /** The account that runs the command. Undefined for a page, which reads fewer columns. */
  readonly operator?: string | undefined;
  /** The columns of a file that has other names, each with the name that it has here. Columns with unknown names are then left out. */
  readonly columns?: ReadonlyMap<string, string> | undefined;
  /** Called once for each column that is left out. */
  onLeftOut?(column: string): void;
}

async function* usersOf(input: Readable, options: RowOptions): AsyncGenerator<NumberedUser> {
  const { knownGroups, operator } = options;
  for await (const { line, read } of readRows(input, createNameColumns(options)))
    yield { line, read: () => readImportRow(read(), knownGroups, operator) };
}

/**
 * Adds the users of a file. Users who exist already stay as they are.
 * @param input as `readRows` reads it
 * @param counts updated during the import, so that they are right even after an error
 * @throws {Unreadable} for a wrong header, or for a file without rows
 */
export async function importRows(input: Readable, options: RowOptions, counts: ImportCounts): Promise<void> {
  await importUsers(usersOf(input, options), options, counts);
  if (counts.rows === 0) throw new Unreadable('There are no users to import.');
}
