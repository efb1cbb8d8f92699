import { userInfo } from 'node:os';
import { compose, type Services } from '../compose.ts';
import { InvalidFields } from '../core/access/refusal.ts';
import type { Caller } from '../core/audit/event.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { findSudoUser, loadSettings } from '../ground/config/load.ts';
import { fill } from '../ground/languages/languages.ts';
import { words } from '../ground/languages/words.ts';

/** Runs one administrative task on the configured stores and prints its result. @param command as the operator typed it, for the audit */
export async function administer(
  command: string,
  task: (services: Services, caller: Caller) => Promise<string>,
): Promise<void> {
  const caller = { route: command, operator: operator() };
  // The command's last line reports store faults, so the watch of the stores need not log them.
  const composition = await compose({ ...loadSettings(), LOG_LEVEL: 'silent' }, { takesLogins: false, caller });
  try {
    const text = await task(await composition.prepare(), caller);
    if (text !== '') process.stdout.write(`${text}\n`);
  } catch (error) {
    throw error instanceof InvalidFields ? new ChangeRefused(describe(error)) : error;
  } finally {
    await composition.close();
  }
}

const describe = ({ faults }: InvalidFields) =>
  faults.map(({ field, code, values }) => `${field}: ${fill(words.fields[code], values)}.`).join('\n');

function operator(): string {
  const sudoUser = findSudoUser();
  return `${effectiveAccount()}${sudoUser === undefined ? '' : ` (sudo: ${sudoUser})`}`;
}

function effectiveAccount(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
