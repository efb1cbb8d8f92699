import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toText } from '../../../src/core/telemetry/text-line.ts';

// Colours are used only in a terminal.
process.env.NO_COLOR = '1';

const line = (entry: object) => toText(JSON.stringify({ level: 30, time: 0, pid: 1, hostname: 'h', ...entry }));

test('a line has its time, level and message, followed by its fields', () => {
  const text = line({ msg: 'request completed', reqId: 'a-1', res: { statusCode: 200 }, responseTime: 1.23456 });
  assert.match(
    text,
    /^\d\d:\d\d:\d\d info {2}request completed {2}reqId: 'a-1', res: { statusCode: 200 }, responseTime: 1\.23456\n$/,
  );
});

test('an error has its stack, with a line for each frame', () => {
  const err = { type: 'Error', message: 'no', stack: 'Error: no\n    at one\n    at two' };
  assert.match(
    line({ level: 50, msg: 'unexpected error', err }),
    / error unexpected error .*\n {4}at one\n {4}at two\n$/,
  );
});

test('values from a client cannot move the cursor, forge a line or change a colour', () => {
  const hostile = '\u001b[2J\u001b]0;title\u0007\r\n12:00:00 info forged\u009b31m\u202e\u2028';
  const entry = {
    level: 40,
    time: 0,
    msg: hostile,
    path: hostile,
    [hostile]: 1,
    caller: { userAgent: hostile, list: [hostile] },
  };
  const stack = `Error: ${hostile}\n    at ${hostile}`;
  const text = toText(JSON.stringify({ ...entry, err: { message: hostile, stack } }));
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  for (const each of text.trimEnd().split('\n').slice(1)) assert.match(each, /^ {4}/, 'each further line is indented');
});
