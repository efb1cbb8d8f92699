import { type Command, Option } from 'commander';
import { InvalidFields } from '../core/access/refusal.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

export const json = ['--json', 'one JSON object a line'] as const;

export const collect = (value: string, former: readonly string[] = []) => [...former, value];

/** @param name of the command, followed by its arguments */
export const add = (parent: Command, name: string, description: string): Command =>
  parent.command(name).description(description);

/** The text about an option in the help of its command. */
export function describeOption({ description, mandatory, defaultValue }: Option): string {
  const isGiven = ['string', 'number'].includes(typeof defaultValue) && defaultValue !== '';
  return [mandatory && '(required)', description, isGiven && `(default: ${defaultValue})`].filter(Boolean).join(' ');
}

/** Ends the process after half a second, because a stuck store, trace collector or log reader must not keep it alive. */
export function endSoon(): void {
  setTimeout(() => process.exit(), 500).unref();
}

export function numberOption(flags: string, description: string, largest: number): Option {
  const option = new Option(flags, description);
  return option.argParser((text) => {
    const number = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0;
    if (number >= 1 && number <= largest) return number;
    throw new Misconfiguration(`${option.long} must be a whole number from 1 to ${largest}.`);
  });
}

/** Returns an action that loads the file of a command only when the command runs. If the command returns `false`, the exit code is 1. */
export function from<Commands, Name extends keyof Commands>(load: () => Promise<Commands>, name: Name) {
  return async (...typed: unknown[]): Promise<void> => {
    const command = (await load())[name] as (...typed: unknown[]) => unknown;
    try {
      if ((await command(...typed)) === false) process.exitCode = 1;
    } catch (error) {
      if (!(error instanceof InvalidFields)) throw error;
      const { describeFaults } = await import('./describe-faults.ts');
      throw new ChangeRefused(describeFaults(error, typed.at(-1) as Command));
    }
  };
}
