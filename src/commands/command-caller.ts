import { userInfo } from 'node:os';
import type { Caller } from '../audit/event.ts';
import { findSudoUser } from '../config/sudo-user.ts';

/** The caller of a command, for the audit. @param command such as `janua users disable` */
export const commandCaller = (command: string): Caller => ({ route: command, operator: operator() });

/** Gives the machine's account, and the account that ran `sudo`, as `root (sudo: ann)`. In many containers it has only a number. */
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
