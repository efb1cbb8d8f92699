/** What a spreadsheet takes for a formula, after any number of apostrophes. */
const formula = /^'*[=+\-@\t\r]/;

/**
 * Gives fields as a line of CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe before it: a stranger may
 * have chosen it. `readCsvLine` takes the apostrophe away.
 */
export const csvLine = (fields: readonly string[]) => `${fields.map(toField).join(',')}\r\n`;

function toField(text: string): string {
  const safe = formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Reads a line of CSV. Undefined if its quotes do not fit: no field may go on in the next line. */
export function readCsvLine(line: string): string[] | undefined {
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y;
  const fields: string[] = [];
  for (;;) {
    const [, quoted, plain = '', end] = field.exec(line) ?? [];
    if (end === undefined) return undefined;
    const text = quoted?.replaceAll('""', '"') ?? plain;
    fields.push(text.startsWith("'") && formula.test(text) ? text.slice(1) : text);
    if (end === '') return fields;
  }
}
