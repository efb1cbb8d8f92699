import { userInfo } from 'node:os';
import { resolve } from 'node:path';

/** The account that this process runs as. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** The operator may be able to read the file: `janua-admin` switches to another account. */
export const mayNotRead = (path: string) => `The account ${accountName()} may not read ${resolve(path)}.`;
