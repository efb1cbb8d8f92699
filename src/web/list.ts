import { type Answer, InvalidFields, Refusal } from '../core/access/refusal.ts';
import { invalidFields } from './action.ts';
import type { Schema } from './openapi/responses.ts';

/** The query of a list, from the address bar. */
export interface ListQuery {
  /** The beginning of a word to find. */
  readonly q: string;
  readonly filters: Readonly<Record<string, string>>;
  /** The field that the list is sorted by. */
  readonly sort: string;
  readonly descending: boolean;
  readonly limit: number;
  /** The key after which the page begins. */
  readonly after: readonly string[] | undefined;
}

/** Most rows that one request reads. If few rows pass a filter, a page may be short and still have a next one. */
export const mostCandidates = 2000;

/** Most entries of a page of a list, and the default. */
export const mostRows = 200;
export const usualRows = 50;

export const unreadableList: Answer = {
  name: 'unreadable-list',
  status: 400,
  detail: 'The list cannot be shown with these filters',
};

/** The refusals of a list with filters. */
export const listRefusals = [unreadableList, invalidFields];

/** @throws {Refusal} `unreadable-list` */
export function refuseList(): never {
  throw new Refusal(unreadableList);
}

/** Whether all databases can compare the text. PostgreSQL refuses a NUL. */
const isReadable = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value.length <= most && value.isWellFormed() && !value.includes('\0');

/** Encodes the place after a row. A cursor is data to compare with, and never a part of a statement (VM-92). */
export const cursorOf = (key: readonly string[]): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** @param found one entry more than `limit`, if there is one @param keyOf the place of an entry in the order of the list */
export function pageOf<Entry>(
  found: readonly Entry[],
  limit: number,
  keyOf: (entry: Entry) => readonly string[],
): { readonly entries: readonly Entry[]; readonly next_cursor: string | null } {
  const entries = found.slice(0, limit);
  const last = found.length > limit ? entries.at(-1) : undefined;
  return { entries, next_cursor: last === undefined ? null : cursorOf(keyOf(last)) };
}

function readCursor(text: string, length: number): readonly string[] | undefined {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    const isKey = Array.isArray(key) && key.length === length && key.every((part) => isReadable(part, 400));
    return isKey ? key : undefined;
  } catch {
    return undefined;
  }
}

export interface ListRules {
  /** The names of the filters, with their allowed values. Undefined values allow any text. Default: no filters. */
  readonly filters?: Readonly<Record<string, readonly string[] | undefined>>;
  /** Whether `q` searches the list. */
  readonly searched?: true;
  /** Fields that can sort the list. The first is the default. A `-` before it reverses the order. Default: one order. */
  readonly sorts?: readonly string[];
  /** Number of texts in a cursor. */
  readonly keyLength: number;
}

/**
 * Reads the query of a list. An empty field counts as none, because forms send all of their fields.
 * @throws {InvalidFields} for a filter; {Refusal} `unreadable-list` for the order, the limit or the cursor
 */
export function readList(query: unknown, { filters = {}, searched, sorts = [''], keyLength }: ListRules): ListQuery {
  const sent = query as Readonly<Record<string, unknown>>;
  const find = (name: string, most = 254): string | undefined => {
    const value = sent[name] ?? '';
    return isReadable(value, most) ? value.trim() : undefined;
  };
  const read = (name: string, most?: number) => find(name, most) ?? refuseList();
  const readFilter = (name: string, values?: readonly string[]): string => {
    const value = find(name);
    if (value !== undefined && (value === '' || values?.includes(value) !== false)) return value;
    throw new InvalidFields({ field: name, code: 'malformed' });
  };
  const chosen = Object.entries(filters).map(([name, values]) => [name, readFilter(name, values)]);
  const q = searched ? readFilter('q').toLowerCase() : '';
  const [order, limit, cursor] = [read('sort'), read('limit', 3), read('cursor', 2000)];
  const sort = order.replace(/^-/, '') || sorts[0] || '';
  const rows = limit === '' ? usualRows : /^\d+$/.test(limit) ? Number(limit) : 0;
  const after = cursor === '' ? undefined : readCursor(cursor, keyLength);
  if (rows < 1 || rows > mostRows || !sorts.includes(sort) || (cursor !== '' && !after)) refuseList();
  return { q, filters: Object.fromEntries(chosen), sort, descending: order.startsWith('-'), limit: rows, after };
}

/** The query fields that all lists have, for the OpenAPI document. */
export const listQuery = {
  limit: { description: `From 1 to ${mostRows}. Default: ${usualRows}`, examples: ['50'] },
  cursor: { description: 'The `next_cursor` of the page before' },
};

export const nextCursor: Schema = {
  type: ['string', 'null'],
  description: 'For the next page. A page may be short and still have one',
  examples: [null],
};
