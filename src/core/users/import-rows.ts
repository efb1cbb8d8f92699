import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { readCsvLine, type Separator, separatorOf } from '../../ground/text/csv.ts';
import { utf16Of } from '../../ground/text/decode-text.ts';
import { Unreadable } from './change-refused.ts';
import { type ImportedUser, type ImportRow, importColumns, readImportRow } from './import-columns.ts';

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
async function* readRows(input: Readable): AsyncGenerator<NumberedRow> {
  let line = 0;
  let parse: Parse | undefined;
  const decode = createDecoder();
  const bytesOfLines = Readable.from(withoutUtf16(input));
  for await (const bytes of createInterface({ input: bytesOfLines, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    // Empty lines count too: a file may have a million.
    if (line % rowsAtOnce === 0) await setImmediate();
    if (bytes.trim() === '') continue;
    parse ??= bytes.replace(/^ï»¿/, '').startsWith('{') ? parseJson : undefined;
    const parseRow = parse;
    if (parseRow !== undefined) yield { line, read: () => parseRow(decode(bytes)) };
    else parse = createCsvParser(decode(bytes));
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

function createCsvParser(header: string): Parse {
  const separator = separatorOf(header);
  const columns = fieldsOf(header, separator).map((name) => name.trim().toLowerCase());
  requireColumns(columns);
  const [required] = importColumns;
  if (!columns.includes(required)) throw new Unreadable('The first line has no column {column}.', { column: required });
  return (line) => {
    const fields = fieldsOf(line, separator);
    if (fields.length !== columns.length)
      throw new Unreadable('The line has another number of fields ({count}) than the first line.', {
        count: fields.length,
      });
    return Object.fromEntries(columns.map((name, index) => [name, fields[index]]));
  };
}

function parseJson(line: string): ImportRow {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {}
  if (typeof value !== 'object' || value === null) throw new Unreadable('The line is no JSON object.');
  requireColumns(Object.keys(value));
  return value;
}

function requireColumns(names: readonly string[]): void {
  const columns: readonly string[] = importColumns;
  const unknown = names.find((name, index) => !columns.includes(name) || names.indexOf(name) !== index);
  if (unknown === undefined) return;
  throw new Unreadable('The column {column} is unknown or there twice. There are: {columns}.', {
    column: unknown.slice(0, 40),
    columns: columns.join(', '),
  });
}

/** Lines that are read before other requests get a turn. */
const rowsAtOnce = 500;

/** Rows that one transaction adds at most, unless one user has more. SQLite holds up all other requests during a transaction. */
const batchRows = 500;

/** A user has a row of `janua_users`, up to four words to be found by, perhaps a handle, and a membership of each group. */
const rowsOf = ({ groups }: ImportedUser) => 6 + groups.length;

export type RefuseUser = (user: ImportedUser, reason: Unreadable) => void;

export interface ImportOptions {
  /** Returns how many of the users were new. @param refuse is called for each user who cannot be added */
  readonly addUsers: (users: readonly ImportedUser[], refuse: RefuseUser) => Promise<number>;
  readonly knownGroups: ReadonlySet<string>;
  /** Called for each row that is refused. */
  refuse(line: number, reason: Unreadable): void;
  /** Called after each batch. */
  onBatch?(rows: number): void;
  /** Returns whether to end after this row. */
  isStopped?(): boolean;
}

/** The counts of an import so far. */
export interface ImportCounts {
  rows: number;
  added: number;
  refused: number;
}

export const noRows = (): ImportCounts => ({ rows: 0, added: 0, refused: 0 });

/**
 * Adds the users of a file. Users who exist already stay as they are.
 * @param input as `readRows` reads it
 * @param counts updated during the import, so that they are right even after an error
 * @throws {Unreadable} for a wrong header, or for a file without rows
 */
export async function importRows(input: Readable, options: ImportOptions, counts: ImportCounts): Promise<void> {
  const { addUsers, knownGroups, refuse, onBatch, isStopped } = options;
  const lines = new Map<string, number>();
  const linesOfHandles = new Map<string, number>();

  function refuseRow(line: number, reason: Unreadable): void {
    counts.refused += 1;
    refuse(line, reason);
  }

  function readUser({ line, read }: NumberedRow): ImportedUser[] {
    try {
      const user = readImportRow(read(), knownGroups);
      const first = lines.get(user.username);
      if (first !== undefined) throw new Unreadable('The user is in line {line} too.', { line: first });
      lines.set(user.username, line);
      if (user.handle === undefined) return [user];
      const same = linesOfHandles.get(user.handle);
      if (same !== undefined) throw new Unreadable('The handle is in line {line} too.', { line: same });
      linesOfHandles.set(user.handle, line);
      return [user];
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      refuseRow(line, error);
      return [];
    }
  }

  let batch: ImportedUser[] = [];
  let size = 0;
  async function addBatch(): Promise<void> {
    const refuseUser: RefuseUser = ({ username }, reason) => refuseRow(lines.get(username) ?? 0, reason);
    if (batch.length > 0) counts.added += await addUsers(batch, refuseUser);
    batch = [];
    size = 0;
    onBatch?.(counts.rows);
  }

  for await (const row of readRows(input)) {
    counts.rows += 1;
    for (const user of readUser(row)) {
      const more = rowsOf(user);
      if (size + more > batchRows) await addBatch();
      batch.push(user);
      size += more;
    }
    // Lets other requests run. With rows from a request body and SQLite, the import itself never waits for I/O.
    if (isStopped?.()) break;
  }
  await addBatch();
  if (counts.rows === 0) throw new Unreadable('There are no users to import.');
}
