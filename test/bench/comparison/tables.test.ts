import assert from 'node:assert/strict';
import { test } from 'node:test';
import { names } from '../../../bench/comparison/names.ts';
import { describeMeasured } from '../../../bench/comparison/tables.ts';
import { alone, justMet } from './measured.ts';

const lineOf = (title: string, name: string, measured = justMet) =>
  describeMeasured(measured)
    .find((table) => table.title === title)
    ?.lines.find(([first]) => first === name);

test('requests per second are compared with Janua on SQLite, and CPU with the bare route', () => {
  const line = ['12,000', '6,000 to 24,000', '0.40', '1.33 ms', '2.67 ms', '100 µs', '10.00', '1.00'];
  assert.deepEqual(lineOf('Who am I, by cookie', names.express), [names.express, ...line]);
});

test('a server that had to wait is marked as waiting', () => {
  assert.equal(lineOf('Who am I, by cookie', names.redis)?.at(-1), '0.80 (waits)');
});

test('the CPU of the login page is compared with the bare route, which has no page', () => {
  assert.equal(lineOf('The login page', names.sqlite)?.at(-2), '1.60');
  assert.equal(lineOf('The login page', names.bare), undefined);
});

test('logins are compared with argon2 alone', () => {
  assert.equal(lineOf('Login, 16 at a time', names.sqlite)?.[3], '0.92');
});

test('a server that was not measured has no line', () => {
  assert.equal(lineOf('Who am I, by cookie', names.express, alone), undefined);
});

test('each line has as many cells as the heading', () => {
  for (const { title, lines } of describeMeasured(justMet))
    for (const line of lines) assert.equal(line.length, lines[0]?.length, title);
});
