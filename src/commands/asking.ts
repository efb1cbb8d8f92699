import { readFileSync } from 'node:fs';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import type { Questions } from './read-password.ts';
import type { Account } from './service-account.ts';

/** The options of `janua setup`. Most of them answer a question, which is then not asked. */
export interface SetupOptions {
  readonly name?: string;
  readonly publicUrl?: string;
  readonly database?: string;
  readonly databasePasswordFile?: string;
  readonly mail?: string;
  readonly mailPasswordFile?: string;
  readonly mailFrom?: string;
  readonly admin?: string;
  readonly firstName?: string;
  readonly lastName?: string;
  readonly adminPasswordFile?: string;
  readonly testMail?: boolean;
  readonly settingsFile: string;
  readonly keyFile?: string;
  readonly account: string;
}

export type Asking = ReturnType<typeof createAsking>;

/** Finds the fault of an answer. Undefined if it is valid. */
type CheckAnswer = (answer: string) => string | undefined | Promise<string | undefined>;

export function createAsking(questions: Questions, options: SetupOptions, { asRoot }: Account) {
  const { ask, askSecret, isTerminal } = questions;
  const lastAnswers = new Map<string, string>();

  /**
   * Asks until the answer is valid, and proposes the last answer when it asks again. An option, or a line of standard input, has one try.
   */
  async function find(name: keyof SetupOptions, question: string, check: CheckAnswer, usual = ''): Promise<string> {
    const given = options[name];
    for (;;) {
      const offered = lastAnswers.get(name) ?? usual;
      const shown = offered === '' ? `${question}: ` : `${question} [${offered}]: `;
      const typed = given === undefined ? await ask(isTerminal ? shown : optionOf(name)) : String(given);
      const answer = typed.trim() || offered;
      const fault = await check(answer);
      if (fault === undefined) {
        if (!withPassword.test(answer)) lastAnswers.set(name, answer);
        return answer;
      }
      if (given !== undefined || !isTerminal) throw new Misconfiguration(`${optionOf(name)}: ${fault}`);
      say(fault);
    }
  }

  return {
    find,
    isTerminal,

    /** Reads the file of an option as root, because the file may be for root alone. Without the option, asks. */
    async findSecret(name: keyof SetupOptions, askFor: () => Promise<string>): Promise<string> {
      const file = options[name];
      return file === undefined ? askFor() : asRoot(() => readSecret(String(file), optionOf(name)));
    },

    questions,
    askSecret,
  };
}

export const withPassword = /^[a-z]+:\/\/[^/@?#]*:[^/@?#]+@|[?&]pass(?:word)?=/i;

export const optionOf = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function readSecret(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new Misconfiguration(`${option}: the file cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

export const say = (line: string) => void process.stderr.write(`${line}\n`);
