import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csvLine, readCsvLine } from '../../src/text/csv.ts';

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
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(oneLine, odd), { minLength: 1 }), (fields) => {
      const line = csvLine(fields);
      assert.ok(line.endsWith('\r\n'));
      assert.deepEqual(readCsvLine(line.slice(0, -2)), fields);
    }),
  );
});

test('no spreadsheet runs a text of a line as a formula', () => {
  const commas = csvLine(['=1', '+1', '-1', '@sum', '\tx', '"=1', 'a=1']);
  assert.equal(commas, `'=1,'+1,'-1,'@sum,'\tx,"""=1",a=1\r\n`);
});

test('a line whose quotes do not fit is refused', () => {
  for (const line of ['"', '"a', 'a"b', '"a"b', '"a""', `"${'a'.repeat(60_000)}`, '"'.repeat(60_001)])
    assert.equal(readCsvLine(line), undefined, line.slice(0, 9));
});
