import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

/** Asks without echo, or reads a line of standard input. Never an argument: every process could read it. */
export const readPassword = () => read((ask) => ask('Password: '));

export const readNewPassword = (minLength: number) =>
  read(async (ask) => {
    const first = await ask(`New password (${minLength} characters or more): `);
    if ((await ask('The same again: ')) === first) return first;
    throw new Misconfiguration('The two passwords are different. Nothing was changed.');
  });

type Ask = (question: string) => Promise<string>;

async function read(askFor: (ask: Ask) => Promise<string>): Promise<string> {
  if (process.stdin.isTTY) return atTerminal(askFor);
  const input = await buffer(process.stdin);
  if (!isUtf8(input)) throw new Misconfiguration('The password is not UTF-8. Nothing was changed.');
  return input.toString().split(/\r?\n/, 1)[0] ?? '';
}

async function atTerminal(askFor: (ask: Ask) => Promise<string>): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  // Ctrl+C ends the input, as Ctrl+D does.
  terminal.once('SIGINT', () => terminal.close());
  const lines = terminal[Symbol.asyncIterator]();

  async function ask(question: string): Promise<string> {
    process.stderr.write(question);
    const { done, value } = await lines.next();
    process.stderr.write('\n');
    if (done) throw new Misconfiguration('Stopped. Nothing was changed.');
    return value;
  }

  try {
    return await askFor(ask);
  } finally {
    terminal.close();
  }
}
