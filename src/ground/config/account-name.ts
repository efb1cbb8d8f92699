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

/** Says which account may not read a file. The operator's own account may be able to read it: `janua-admin` switches to another account. */
export const mayNotRead = (path: string) => `The account ${accountName()} may not read ${resolve(path)}.`;
