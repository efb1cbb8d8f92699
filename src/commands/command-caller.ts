import { userInfo } from 'node:os';
import type { Caller } from '../audit/event.ts';

/** Who runs a command, for the audit. @param command as `janua users disable` */
export const commandCaller = (command: string): Caller => ({ route: command, operator: operator() });

/** The account of the machine: its name, or its number where it has none, as in many containers. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
