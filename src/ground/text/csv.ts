/**
 * Matches the places where a spreadsheet would begin a formula: the start of a field, the start of a line in it, and the place after a
 * separator that other machines use, such as `;`. Quotes before the formula do not matter.
 */
const start = /(?<=^|[;,\t\r\n])(?=["']*[=+\-@＝＋－＠\t\r])/g;
/** Matches the apostrophes that `csvLine` inserted at these places. */
const escapedStart = /(?<=^|[;,\t\r\n])'(?=["']*[=+\-@＝＋－＠\t\r])/g;

/**
 * Returns fields as a line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe before it, because a
 * stranger may have chosen the text. `readCsvLine` removes the apostrophe.
 */
export const csvLine = (fields: readonly string[]) => `${fields.map(toField).join(',')}\r\n`;

function toField(text: string): string {
  const safe = text.replaceAll(start, "'");
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The patterns of a field. Excel separates fields by semicolons in countries with decimal commas, and by tabs in "Unicode Text". */
const fieldPatterns = {
  ',': /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y,
  ';': /(?:"([^"]*(?:""[^"]*)*)"|([^";]*))(;|$)/y,
  '\t': /(?:"([^"]*(?:""[^"]*)*)"|([^"\t]*))(\t|$)/y,
} as const;

export type Separator = keyof typeof fieldPatterns;

/** Finds the separator of a header. The names of columns contain no separator. */
export const separatorOf = (header: string): Separator => (/[,;\t]/.exec(header)?.[0] ?? ',') as Separator;

/** The beginning of a CSV file. Without it, Excel would use the encoding of its machine. */
export const byteOrderMark = '\ufeff';

/** Reads a line of CSV. Undefined if its quotes are unbalanced: a field must not continue in the next line. */
export function readCsvLine(line: string, separator: Separator = ','): string[] | undefined {
  const field = fieldPatterns[separator];
  field.lastIndex = 0;
  const fields: string[] = [];
  for (;;) {
    const [, quoted, plain = '', end] = field.exec(line) ?? [];
    if (end === undefined) return undefined;
    fields.push((quoted?.replaceAll('""', '"') ?? plain).replaceAll(escapedStart, ''));
    if (end === '') return fields;
  }
}
