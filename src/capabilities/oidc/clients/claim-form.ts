import { InvalidFields } from '../../../core/access/refusal.ts';
import { printable } from '../../../ground/text/printable.ts';
import { type ClientClaim, type Place, places, usualPlaces } from '../claim-table.ts';

/** A row as one text, such as `roles@id_token,userinfo=groups:editors`. Without `@`, the claim is in the usual places. */
const rowShape = /^([^@=\s]+)(?:@([^=\s]*))?=(.+)$/s;

/** The blank before a row. A list of rows arrives as one text, and a constant may have blanks. */
const betweenRows = /[\r\n]+|\s(?=[^@=\s]+(?:@[a-z_,]+)?=(?:address|handle|id|name|groups|claim:|constant:))/;

export const splitRows = (text: string): string[] =>
  text
    .split(betweenRows)
    .map((row) => row.trim())
    .filter(Boolean);

/** Reads a table: rows as texts, or a JSON list as in the API. @throws {InvalidFields} */
export function readTable(text: string): readonly ClientClaim[] {
  return text.trim().startsWith('[') ? readJson(text) : splitRows(text).map(readRow);
}

const malformed = (row: string) =>
  new InvalidFields({ field: 'claims', code: 'not-a-claim-row', values: { row: printable(row.slice(0, 100)) } });

function readRow(text: string): ClientClaim {
  const [, claim, at, source] = rowShape.exec(text) ?? [];
  if (claim === undefined || source === undefined) throw malformed(text);
  return {
    claim,
    source: source.trim(),
    in: at === undefined ? usualPlaces : at.split(',').map((place) => readPlace(place, text)),
  };
}

function readPlace(text: string, row: string): Place {
  const place = places.find((one) => one === text);
  if (place === undefined) throw malformed(row);
  return place;
}

function readJson(text: string): readonly ClientClaim[] {
  const rows = parse(text);
  if (!Array.isArray(rows)) throw malformed(text);
  return rows.map((row: unknown) => {
    const { claim, source, in: at = usualPlaces, ...others } = Object(row);
    const shown = JSON.stringify(row) ?? '';
    if (typeof claim !== 'string' || typeof source !== 'string' || !Array.isArray(at) || Object.keys(others).length > 0)
      throw malformed(shown);
    return { claim, source, in: at.map((place) => readPlace(place, shown)) };
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(text);
  }
}

/** Writes a row as `readTable` reads it. */
export const textOfRow = ({ claim, source, in: at }: ClientClaim): string =>
  `${claim}${at.join() === usualPlaces.join() ? '' : `@${at.join()}`}=${source}`;
