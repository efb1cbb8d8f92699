import { accessSync, constants, existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { accountName } from '../ground/config/account-name.ts';
import { faultsOf, lineOf, Misconfiguration } from '../ground/faults/misconfiguration.ts';

export type Account = ReturnType<typeof takeAccount>;

/**
 * Lets root run the setup as the account of the service, to which the database has to belong. Only root may write the settings, so `asRoot`
 * makes the process root again for a moment.
 */
export function takeAccount(name: string) {
  const isRoot = process.geteuid?.() === 0;
  if (!isRoot || name === 'root')
    return { isOther: false, become() {}, asRoot: <Result>(work: () => Result) => work() };
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
    /** Whether root has become another account. */
    isOther: true,
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

/**
 * Makes a folder to test whether this account may write. `accessSync` checks the real user, which is still root if root has become this
 * account. The caller removes the folder.
 * @throws {Misconfiguration} if this account cannot write to `folder`
 */
export function makeTrialFolder(folder: string): string {
  try {
    return mkdtempSync(join(folder, '.janua-setup-'));
  } catch (error) {
    const account = accountName();
    throw new Misconfiguration({
      message: `The account ${account} cannot write to ${folder} (${(error as NodeJS.ErrnoException).code}).`,
      fix: `Choose a folder of that account, or make one: sudo install -d -m 0700 -o ${account} FOLDER`,
    });
  }
}

/** Explains why this account cannot write to a folder. Undefined if it can. */
export const findFolderFault = (folder: string) => faultsOf(() => rmdirSync(makeTrialFolder(folder)))[0];

export function requireKeyFolder(keyFile: string): void {
  if (existsSync(keyFile)) return;
  const fault = findFolderFault(resolve(dirname(keyFile)));
  if (fault !== undefined) throw new Misconfiguration(`--key-file: ${lineOf(fault)}`);
}
