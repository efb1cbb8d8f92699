import { compose, type Overrides, type Services } from '../compose.ts';
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
