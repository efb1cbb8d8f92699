import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { passwordFaults } from '../core/changes/new-users.ts';
import { createPasswordPolicy, minPasswordLength, type PasswordFault } from '../core/passwords/policy.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

/** Asks without echo, or reads a line of standard input. A password is never an argument, because every process could read it. */
export async function readPassword(): Promise<string> {
  using questions = openQuestions();
  return await questions.askSecret('Password: ');
}

export async function readNewPassword(): Promise<string> {
  using questions = openQuestions();
  return await askNewPassword(questions, findUsualFault);
}

type FindFault = (password: string) => Promise<PasswordFault | undefined>;

const noOwner = { username: '', firstName: '', lastName: '' };

/** Checks the rules that need no user. The caller knows the user, and checks all rules. */
const findUsualFault: FindFault = (password) =>
  createPasswordPolicy({ appName: '', breached: 'off', log: { warn() {} } }).findFault(password, noOwner);

/** At a terminal, asks until the password is valid and was typed twice. Otherwise reads it once. */
export async function askNewPassword({ askSecret, isTerminal }: Questions, findFault: FindFault): Promise<string> {
  for (;;) {
    const first = await askSecret(`New password (${minPasswordLength} characters or more): `);
    if (!isTerminal) return first;
    const fault = await findFault(first);
    if (fault === undefined && (await askSecret('The same again: ')) === first) return first;
    process.stderr.write(`${fault ? passwordFaults[fault.code] : 'The two passwords are different.'}\n`);
  }
}

export type Questions = ReturnType<typeof openQuestions>;

/** Asks at the terminal. Without a terminal, each answer is a line of standard input, and no question is printed. */
export function openQuestions() {
  const isTerminal = process.stdin.isTTY;
  let isSecret = false;
  let lines: AsyncIterator<string> | undefined;
  let terminal: ReturnType<typeof createInterface> | undefined;

  function openTerminal(): AsyncIterator<string> {
    const write = (chunk: Buffer) => isSecret || process.stderr.write(chunk);
    const output = new Writable({ write: (chunk, _encoding, done) => done(void write(chunk)) });
    terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
    // Ctrl+C ends the input, like Ctrl+D.
    terminal.once('SIGINT', () => terminal?.close());
    return terminal[Symbol.asyncIterator]();
  }

  async function* readInput() {
    const input = await buffer(process.stdin);
    if (!isUtf8(input)) throw new Misconfiguration('The input is not UTF-8. Nothing was changed.');
    yield* input
      .toString()
      .replace(/\r?\n$/, '')
      .split(/\r?\n/);
  }

  async function read(question: string, secret: boolean): Promise<string> {
    lines ??= isTerminal ? openTerminal() : readInput();
    isSecret = secret;
    if (secret && isTerminal) process.stderr.write(question);
    else terminal?.setPrompt(question);
    terminal?.prompt();
    const { done, value } = await lines.next();
    if (secret && isTerminal) process.stderr.write('\n');
    if (done)
      throw new Misconfiguration(
        isTerminal
          ? 'Stopped. Nothing was changed.'
          : `Standard input has no line for ${question}. Nothing was changed.`,
      );
    return value;
  }

  return {
    isTerminal,
    ask: (question: string) => read(question, false),
    /** Asks without echo. */
    askSecret: (question: string) => read(question, true),
    [Symbol.dispose]: () => terminal?.close(),
  };
}
