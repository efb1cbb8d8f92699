import { type Composition, compose, type Overrides, type Services } from '../compose.ts';
import type { Caller } from '../core/audit/event.ts';
import { accountName } from '../ground/config/account-name.ts';
import { findSudoUser, loadSettings } from '../ground/config/load.ts';

/** Runs one administrative task on the configured stores and prints its result. @param command the name of the command, for the audit */
export async function administer(
  command: string,
  task: (services: Services, caller: Caller) => Promise<string>,
  overrides: Overrides = {},
): Promise<void> {
  const caller = { route: command, operator: operator() };
  // The command prints a store fault as its last line, so the log is silent.
  const composition = await compose(
    { ...loadSettings(), LOG_LEVEL: 'silent' },
    { ...overrides, takesLogins: false, caller },
  );
  try {
    const text = await task(await composition.prepare(), caller);
    if (text !== '') process.stdout.write(`${text}\n`);
  } finally {
    await composition.close();
  }
}

export function operator(): string {
  const sudoUser = findSudoUser();
  return `${accountName()}${sudoUser === undefined ? '' : ` (sudo: ${sudoUser})`}`;
}

/** Ends a rehearsal, so that the transaction is rolled back. */
class Rehearsed<Result> extends Error {
  readonly result: Result;

  constructor(result: Result) {
    super('rehearsed');
    this.result = result;
  }
}

/** Runs work in one transaction. @param isRehearsal whether to undo all of it, and only return the result */
export async function inOneTransaction<Result>(
  composition: Composition,
  isRehearsal: boolean,
  work: (services: Services) => Promise<Result>,
): Promise<Result> {
  try {
    return await composition.inOneTransaction(async (services) => {
      const result = await work(services);
      if (isRehearsal) throw new Rehearsed(result);
      return result;
    });
  } catch (error) {
    if (error instanceof Rehearsed) return error.result;
    throw error;
  }
}
