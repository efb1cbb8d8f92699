import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csvLine, readCsvLine, separatorOf } from '../../../src/ground/text/csv.ts';

test('a line of CSV is read as it was written', () => {
  const oneLine = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n]/.test(text));
  const odd = fc.constantFrom(
    '',
    '"',
    '""',
    ',',
    "'",
    "'=1",
    "''=1",
    '=1+1',
    '-1',
    '@x',
    '+x@example.com',
    ' a ',
    '\t',
    '\t=1',
    ';=1',
    ';"=1',
    `;'"=1`,
    ',\t@x',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(oneLine, odd), { minLength: 1 }), (fields) => {
      const line = csvLine(fields);
      assert.ok(line.endsWith('\r\n'));
      assert.deepEqual(readCsvLine(line.slice(0, -2)), fields);
    }),
  );
});

test('a line is read as Excel saves it, by the separator of its header', () => {
  for (const [header, separator] of [
    ['username', ','],
    ['username,groups', ','],
    ['username;groups', ';'],
    ['username\tgroups', '\t'],
  ] as const) {
    assert.equal(separatorOf(header), separator);
    const fields = ['a,b', 'c;d', 'e\tf', 'g "h"', '', `'=1`];
    const line = fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(separator);
    assert.deepEqual(readCsvLine(line, separator), [...fields.slice(0, -1), '=1']);
    assert.deepEqual(readCsvLine(`a${separator}"b`, separator), undefined);
  }
});

test('no spreadsheet runs a text of a line as a formula', () => {
  for (const separator of [',', ';', '\t', '\n'])
    for (const text of ['=1', '+1', '-1', '@sum', '\tx', '\r=1', '"=1"', `"'=1`])
      for (const field of [text, `a${separator}${text}`, `a${separator}${separator}${text}${separator}${text}`]) {
        // As a spreadsheet reads it that splits at this separator, and at lines in fields that it does not know as quoted.
        const cells = csvLine(['a', field])
          .trimEnd()
          .split(new RegExp(`[\r\n${separator}]`));
        for (const cell of cells)
          assert.doesNotMatch(cell, /^["']*[=+\-@\t\r](?<!'.*)/, JSON.stringify([field, cells]));
      }
  // The apostrophe is in the quotes.
  assert.equal(csvLine(['=1,2']), `"'=1,2"\r\n`);
  assert.equal(csvLine(['a=1', 'a; =1', 'a-b', "O'Neil"]), "a=1,a; =1,a-b,O'Neil\r\n");
});

test('a line whose quotes do not fit is refused', () => {
  for (const line of ['"', '"a', 'a"b', '"a"b', '"a""', `"${'a'.repeat(60_000)}`, '"'.repeat(60_001)])
    assert.equal(readCsvLine(line), undefined, line.slice(0, 9));
});

test('a field with a break of a line, of any system, is quoted', () => {
  for (const end of ['\r', '\n', '\r\n']) assert.equal(csvLine([`a${end}b`, 'c']), `"a${end}b",c\r\n`);
});
