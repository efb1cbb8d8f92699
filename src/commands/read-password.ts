import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Misconfiguration } from '../misconfiguration.ts';

/**
 * A new password: asked for twice at a terminal, without showing it; else the first line of standard input.
 * Never an argument, which every process of the machine could read.
 */
export async function readNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).split(/\r?\n/, 1)[0] ?? '';
  const first = await ask('Password: ');
  const second = await ask('The same again: ');
  if (first !== second) throw new Misconfiguration('The two were not the same. Nothing was changed.');
  return first;
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once('SIGINT', () => reject(new Misconfiguration('Stopped. Nothing was changed.')));
      terminal.question('').then(resolve, reject);
    });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
