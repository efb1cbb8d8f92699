/**
 * The places where a spreadsheet would begin a formula: the start of a field, the start of a line in it, and the place after a separator of
 * other machines, such as `;`. Quotes in between do not count.
 */
const start = /(?<=^|[;,\t\r\n])(?=["']*[=+\-@＝＋－＠\t\r])/g;
/** The same with the apostrophe that `csvLine` put there. */
const escapedStart = /(?<=^|[;,\t\r\n])'(?=["']*[=+\-@＝＋－＠\t\r])/g;

/**
 * Gives fields as a line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe before it, because a
 * stranger may have chosen the text. `readCsvLine` takes the apostrophe away.
 */
export const csvLine = (fields: readonly string[]) => `${fields.map(toField).join(',')}\r\n`;

function toField(text: string): string {
  const safe = text.replaceAll(start, "'");
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Excel separates fields by semicolons where a comma is in numbers, and by tabs in "Unicode Text". */
const fieldPatterns = {
  ',': /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y,
  ';': /(?:"([^"]*(?:""[^"]*)*)"|([^";]*))(;|$)/y,
  '\t': /(?:"([^"]*(?:""[^"]*)*)"|([^"\t]*))(\t|$)/y,
} as const;

export type Separator = keyof typeof fieldPatterns;

/** The separator of a header, whose names contain none. */
export const separatorOf = (header: string): Separator => (/[,;\t]/.exec(header)?.[0] ?? ',') as Separator;

/** Begins a file that Excel would else read in the encoding of its machine. */
export const byteOrderMark = '\ufeff';

/** Reads a line of CSV. Undefined if its quotes do not fit: no field may go on in the next line. */
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
