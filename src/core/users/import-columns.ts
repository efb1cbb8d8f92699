import { csvLine } from '../../ground/text/csv.ts';
import { jsonLine } from '../../ground/text/printable.ts';
import { parseStoredPassword } from '../passwords/schemes/stored-password.ts';
import { Unreadable } from './change-refused.ts';
import { requireHandle } from './handles.ts';
import { requireEmail, requireName } from './require-details.ts';
import { readNames } from './scopes.ts';
import type { ExportedUser, NewUser } from './user-directory.ts';

/** The columns that an import reads and an export writes. The first one is required. */
export const importColumns = [
  ...(['username', 'first_name', 'last_name', 'handle'] as const),
  ...(['groups', 'disabled', 'password_hash'] as const),
] as const;

export type ImportRow = Readonly<Partial<Record<(typeof importColumns)[number], unknown>>>;

export interface ImportedUser extends NewUser {
  readonly groups: readonly string[];
}

/** Converts a user to a row that an import reads. */
const toImportRow = (user: ExportedUser) => ({
  username: user.username,
  first_name: user.firstName,
  last_name: user.lastName,
  handle: user.handle ?? '',
  groups: user.groups,
  disabled: user.disabled,
  password_hash: user.passwordHash,
});

/**
 * Yields the lines of an export, which an import can read. Each chunk has the lines of a page of users, because a chunk for each line would
 * take longer than the line itself. Users of the demo are left out, because their passwords are public.
 * @param options.onLeftOut is called for each user who is left out
 */
export async function* exportLines(
  users: AsyncIterable<readonly ExportedUser[]>,
  {
    json,
    withHashes,
    onLeftOut,
  }: { json?: boolean | undefined; withHashes?: boolean | undefined; onLeftOut?: () => void },
): AsyncGenerator<string> {
  const columns = importColumns.filter((name) => withHashes || name !== 'password_hash');
  if (!json) yield csvLine(columns);
  function toLine(user: ExportedUser): string {
    if (user.demo) {
      onLeftOut?.();
      return '';
    }
    const row = toImportRow(user);
    const cells = columns.map((name) => (name === 'groups' ? row.groups.join(' ') : String(row[name])));
    return json ? jsonLine(Object.fromEntries(columns.map((name) => [name, row[name]]))) : csvLine(cells);
  }
  for await (const page of users) yield page.map(toLine).join('');
}

/** Longest hash that the column of passwords holds, in characters. */
const longestHash = 512;

/** Reads a row of a file. @throws {Unreadable} if the row has a fault, with the reason */
export function readImportRow(row: ImportRow, knownGroups: ReadonlySet<string>): ImportedUser {
  const text = (name: keyof ImportRow): string => {
    const value = row[name] ?? '';
    if (typeof value === 'string') return value;
    throw new Unreadable('{name} must be a text.', { name });
  };
  const passwordHash = text('password_hash').trim();
  const stored = parseStoredPassword(passwordHash);
  if (passwordHash !== '' && (stored.state === 'broken' || passwordHash.length > longestHash))
    throw new Unreadable('Janua cannot verify the password_hash ({scheme}).', { scheme: stored.scheme });
  const groups: readonly unknown[] = Array.isArray(row.groups)
    ? row.groups
    : readNames(text('groups').replaceAll(',', ' '));
  if (!groups.every((name) => typeof name === 'string')) throw new Unreadable('groups must be a list of names.');
  const unknown = groups.find((name) => !knownGroups.has(name));
  if (unknown !== undefined) throw new Unreadable('There is no group {group}.', { group: unknown });
  const handle = text('handle').trim();
  return {
    username: requireEmail(text('username')),
    firstName: requireName(text('first_name')),
    lastName: requireName(text('last_name')),
    ...(handle !== '' && { handle: requireHandle(handle) }),
    groups: [...new Set(groups)].sort(),
    disabled: readFlag(row.disabled),
    passwordHash,
    addressProof: 'import',
    demo: false,
  };
}

/** The words for true and false that Excel writes in English, German, French and Spanish. */
const flags = {
  true: ['true', '1', 'wahr', 'vrai', 'verdadero'],
  false: ['false', '0', '', 'falsch', 'faux', 'falso'],
};

function readFlag(value: unknown = ''): boolean {
  const text = typeof value === 'object' ? '?' : String(value).toLowerCase();
  if (flags.true.includes(text)) return true;
  if (flags.false.includes(text)) return false;
  throw new Unreadable('disabled must be true or false.');
}
