import { userInfo } from 'node:os';
import { resolve } from 'node:path';

/** Returns the name of the account that runs this process. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/**
 * Says that the account of this process may not read a file. The name helps, because `janua-admin` switches to another account than the
 * operator's.
 */
export const mayNotRead = (path: string) => `The account ${accountName()} may not read ${resolve(path)}.`;
