import { userInfo } from 'node:os';
import type { Caller } from '../audit/event.ts';
import { findSudoUser } from '../config/sudo-user.ts';

/** Who runs a command, for the audit. @param command as `janua users disable` */
export const commandCaller = (command: string): Caller => ({ route: command, operator: operator() });

/** The account of the machine, and the one that ran `sudo`, as `root (sudo: ann)`. Without a name, as in many containers, the number. */
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
