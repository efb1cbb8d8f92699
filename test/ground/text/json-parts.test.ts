import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedJson, readJsonParts } from '../../../src/ground/text/json-parts.ts';

const wanted = new Map([
  ['users', 40],
  ['realm', 40],
  ['roles', 40],
]);

/** Reads a text in chunks of this length, so that each byte is the first one of a chunk once. */
async function read(text: string | Buffer, length: number) {
  const bytes = Buffer.from(text);
  async function* chunks() {
    const chunk = Buffer.alloc(length);
    // The memory of a chunk is used again, as a stream may do.
    for (let start = 0; start < bytes.length; start += length) yield chunk.subarray(0, bytes.copy(chunk, 0, start));
  }
  const parts = await Array.fromAsync(readJsonParts(chunks(), wanted));
  return parts.map(({ key, line, text }) => [key, line, text] as const);
}

const lengths = [1, 2, 3, 7, 1000];

test('the parts of an object are found, wherever chunks end', async () => {
  for (const length of lengths)
    for (const [text, expected] of [
      ['{}', []],
      ['\ufeff{"realm":"a"}', [['realm', 1, '"a"']]],
      ['{ "realm" : 1 ,"x":[{"users":[1]}],\n"users" : [ ] }', [['realm', 1, '1 ']]],
      [
        '{"users":[{"a":"}]\\"\\\\"},\n {"b":[1,{"c":2}]} , "é", 3 ],"roles":{"realm":[{}]},"users2":[{}]}',
        [
          ['users', 1, '{"a":"}]\\"\\\\"}'],
          ['users', 2, '{"b":[1,{"c":2}]}'],
          ['users', 2, '"é"'],
          ['users', 2, '3'],
          ['roles', 2, '{"realm":[{}]}'],
        ],
      ],
      ['{"\\u0075sers":[1],"__proto__":[2],"constructor":3}', []],
    ] as const)
      assert.deepEqual(
        (await read(text, length)).map(([key, line, part]) => [key, line, part?.trim()]),
        expected.map(([key, line, part]) => [key, line, part.trim()]),
        `${length}: ${text}`,
      );
});

test('a part that is too long, or no UTF-8, is told without its text', async () => {
  for (const length of lengths) {
    const long = `{"users":[{"a":"${'x'.repeat(33)}"},{"a":"${'x'.repeat(32)}"},{}]}`;
    assert.deepEqual(
      (await read(long, length)).map(([, , text]) => text?.length),
      [undefined, 40, 2],
    );
    const latin1 = Buffer.from('{"users":["\xe9",1]}', 'latin1');
    assert.deepEqual(await read(latin1, length), [
      ['users', 1, undefined],
      ['users', 1, '1'],
    ]);
  }
});

test('a text that is no whole object is refused with its line', async () => {
  for (const length of lengths)
    for (const [text, line, message] of [
      ['', 1, /empty/],
      [' \n ', 2, /empty/],
      ['[{"realm":"a"}]', 1, /is a list/],
      ['hello', 1, /no JSON/],
      ['{"users":[{}', 1, /cut off/],
      ['{"users":[{}]', 1, /cut off/],
      ['{"realm":"a\n}', 2, /cut off/],
      ['{"realm":"a"}\n{', 2, /more follows/],
      ['{"realm":"a"}\nx', 2, /more follows/],
      ['{"users":[}]', 1, /brackets do not fit/],
      ['{"users":[]]', 1, /brackets do not fit/],
      ['{"realm":"a",\n"realm":"b"}', 2, /"realm" twice/],
      [`{"x":${'['.repeat(200)}`, 1, /nested too deeply/],
      [`{"${'x'.repeat(300)}":1}`, 1, /key is too long/],
    ] as const)
      await assert.rejects(read(text, length), (error) => {
        assert.ok(error instanceof MalformedJson, text);
        assert.match(error.message, message, text);
        assert.equal(error.line, line, text);
        return true;
      });
});
