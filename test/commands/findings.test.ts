import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wrong } from '../../selftest/finding.ts';
import { createFindingsPrinter } from '../../src/commands/findings.ts';

/** The server chose this text. */
const finding = wrong('GET / says: {text}.', 'Correct {text}.', { text: 'a\u001b[2J{text}\n' });

for (const [json, expected] of [
  [
    false,
    `wrong    reach          GET / says: a\uFFFD[2J{text}\uFFFD.\n${' '.repeat(24)}Fix: Correct a\uFFFD[2J{text}\uFFFD.\n`,
  ],
  [
    true,
    '{"check":"reach","state":"wrong","message":"GET / says: a\\u001b[2J{text}\\n.","fix":"Correct a\\u001b[2J{text}\\n."}\n',
  ],
] as const)
  test(`no escape sequence of a server reaches the terminal ${json ? 'in JSON' : 'as text'}`, (t) => {
    const write = t.mock.method(process.stdout, 'write', () => true);
    createFindingsPrinter(json).print('reach', finding);
    const printed = write.mock.calls.map(({ arguments: [text] }) => text).join('');
    write.mock.restore();
    assert.equal(printed, expected);
  });
