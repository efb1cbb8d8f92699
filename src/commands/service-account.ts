import { accessSync, constants, existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { accountName } from '../ground/config/account-name.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

export type Account = ReturnType<typeof takeAccount>;

/**
 * Root alone may write the settings, and the database belongs to the service. So this process works as the account of the service, and is
 * root again only for a moment.
 */
export function takeAccount(name: string) {
  const isRoot = process.geteuid?.() === 0;
  if (!isRoot || name === 'root') return { become() {}, asRoot: <Result>(work: () => Result) => work() };
  const groups = process.getgroups?.() ?? [];
  const gid = process.getegid?.() ?? 0;
  function become(): void {
    try {
      process.setgroups?.([name]);
      process.setegid?.(name);
      process.seteuid?.(name);
    } catch {
      throw new Misconfiguration({
        message: `There is no account ${name}, or no group of that name.`,
        fix: 'Add it as docs/deployment.md says, or name another one: --account NAME',
      });
    }
  }
  return {
    become,
    asRoot<Result>(work: () => Result): Result {
      process.seteuid?.(0);
      process.setegid?.(gid);
      process.setgroups?.(groups);
      try {
        return work();
      } finally {
        become();
      }
    },
  };
}

export function requireWritable(settingsFile: string): void {
  try {
    accessSync(dirname(settingsFile), constants.W_OK);
  } catch {
    throw new Misconfiguration({
      message: `${settingsFile} cannot be written.`,
      fix: 'Make its folder, run this as root, or name another file: --settings-file FILE',
    });
  }
}

/** Makes a folder beside the key and removes it, because `accessSync` asks for the rights of root where root became this account. */
export function requireKeyFolder(keyFile: string): void {
  if (existsSync(keyFile)) return;
  try {
    rmdirSync(mkdtempSync(`${keyFile}.`));
  } catch (error) {
    throw new Misconfiguration({
      message: `--key-file: the account ${accountName()} cannot write ${keyFile} (${(error as NodeJS.ErrnoException).code}).`,
      fix: 'Make its folder and give it to that account, or name another file.',
    });
  }
}
