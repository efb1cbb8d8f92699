import type { Log } from '../../ground/faults/log.ts';
import { foldForComparison, isCommon } from './common-passwords.ts';
import { maxPasswordBytes } from './passwords.ts';
import { createPwnedPasswords } from './pwned-passwords.ts';

/** The length of the shortest new password, in code points. NIST SP 800-63B-4 requires 15 if the password is the only factor. */
export const minPasswordLength = 15;

/** A password may contain shorter names, because many phrases contain them by chance. */
const minPartLength = 4;

export interface PasswordFault {
  readonly code:
    | 'malformed'
    | 'password-too-long'
    | 'password-too-short'
    | 'password-personal'
    | 'password-common'
    | 'password-breached';
  /** The limit, in bytes or characters. */
  readonly values?: { readonly count: number };
}

export interface PasswordOwner {
  /** An e-mail address, or any name in a team's own table. */
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
}

export interface PasswordPolicyOptions {
  readonly appName: string;
  /**
   * `list`: new passwords are compared with the list that comes with Janua. `hibp`: also with the service Pwned Passwords. `off`: with
   * neither.
   */
  readonly breached: 'list' | 'hibp' | 'off';
  readonly log: Pick<Log, 'warn'>;
  readonly pwnedPasswordsUrl?: string;
}

export type PasswordPolicy = ReturnType<typeof createPasswordPolicy>;

/** The rules for new passwords, from NIST SP 800-63B-4 and ASVS 6.2. They require no kinds of characters (ASVS 6.2.5). */
export function createPasswordPolicy(options: PasswordPolicyOptions) {
  const { appName, breached, log, pwnedPasswordsUrl = 'https://api.pwnedpasswords.com' } = options;
  const isPwned = breached === 'hibp' ? createPwnedPasswords(pwnedPasswordsUrl, log) : undefined;

  return {
    /** @throws {Unavailable} when too many passwords wait for Pwned Passwords */
    async findFault(password: string, owner: PasswordOwner): Promise<PasswordFault | undefined> {
      if (!password.isWellFormed()) return { code: 'malformed' };
      if (Buffer.byteLength(password) > maxPasswordBytes)
        return { code: 'password-too-long', values: { count: maxPasswordBytes } };
      if ([...password.normalize('NFC')].length < minPasswordLength)
        return { code: 'password-too-short', values: { count: minPasswordLength } };
      const folded = foldForComparison(password);
      if (partsOf(owner, appName).some((part) => folded.includes(part))) return { code: 'password-personal' };
      if (breached !== 'off' && isCommon(folded)) return { code: 'password-common' };
      if (await isPwned?.(password, owner.username)) return { code: 'password-breached' };
      return undefined;
    },
  };
}

/**
 * Lists the texts that a password must not contain (ASVS 6.2.11): the address, the part before its `@`, each name, both names together, and
 * the app's name.
 */
function partsOf({ username, firstName, lastName }: PasswordOwner, appName: string): string[] {
  const names = `${firstName} ${lastName}`;
  const wholes = [username, username.replace(/@.*/, ''), names, appName].map((part) => part.trim());
  const joined = wholes.map((part) => part.replaceAll(/\s/g, ''));
  const parts = [...wholes, ...joined, ...names.split(/\s+/)];
  return parts.map(foldForComparison).filter((part) => [...part].length >= minPartLength);
}
