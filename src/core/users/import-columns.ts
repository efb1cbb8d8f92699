import { csvLine } from '../../ground/text/csv.ts';
import { jsonLine } from '../../ground/text/printable.ts';
import { parseStoredPassword } from '../passwords/schemes/stored-password.ts';
import { ChangeRefused, Unreadable } from './change-refused.ts';
import { requireHandle } from './handles.ts';
import { type ImportedUser, requireSubject } from './imported-user.ts';
import { requireEmail, requireName } from './require-details.ts';
import { readNames } from './scopes.ts';
import type { ExportedUser } from './user-directory.ts';

/** The columns that an import reads and an export writes. The first one is required. */
export const importColumns = [
  ...(['username', 'first_name', 'last_name', 'handle'] as const),
  ...(['groups', 'disabled', 'password_hash'] as const),
] as const;

/**
 * The further columns that a command reads. They say what another server knew, so no page takes them: an administrator proves an address by
 * other means, and chooses no `sub`.
 */
export const commandColumns = [...importColumns, 'verified', 'sub'] as const;

export type ImportRow = Readonly<Partial<Record<(typeof commandColumns)[number], unknown>>>;

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

/** Tells whether a hash can be stored, and a password be compared with it. */
export const canVerify = (hash: string): boolean =>
  hash.length <= longestHash && parseStoredPassword(hash).state !== 'broken';

/**
 * Reads a row of a file.
 * @param operator the account that runs the command, which says that addresses are verified
 * @throws {ChangeRefused} if the row has a fault, with the reason
 */
export function readImportRow(row: ImportRow, knownGroups: ReadonlySet<string>, operator?: string): ImportedUser {
  const text = (name: keyof ImportRow): string => {
    const value = row[name] ?? '';
    if (typeof value === 'string') return value;
    throw new Unreadable('{name} must be a text.', { name });
  };
  const passwordHash = text('password_hash').trim();
  if (passwordHash !== '' && !canVerify(passwordHash))
    throw new Unreadable('Janua cannot verify the password_hash ({scheme}).', {
      scheme: parseStoredPassword(passwordHash).scheme,
    });
  const groups: readonly unknown[] = Array.isArray(row.groups)
    ? row.groups
    : readNames(text('groups').replaceAll(',', ' '));
  if (!groups.every((name) => typeof name === 'string')) throw new Unreadable('groups must be a list of names.');
  const unknown = groups.find((name) => !knownGroups.has(name));
  if (unknown !== undefined) throw new Unreadable('There is no group {group}.', { group: unknown });
  const handle = text('handle').trim();
  const subject = text('sub').trim();
  return {
    username: requireEmail(text('username')),
    firstName: requireName(text('first_name')),
    lastName: requireName(text('last_name')),
    ...(handle !== '' && { handle: requireHandle(handle) }),
    groups: [...new Set(groups)].sort(),
    disabled: readFlag('disabled', row.disabled),
    ...(readFlag('verified', row.verified) && { verification: { how: 'command' as const, by: operator } }),
    ...(subject !== '' && { subject: requireSubject(subject) }),
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

function readFlag(column: 'disabled' | 'verified', value: unknown = ''): boolean {
  const text = typeof value === 'object' ? '?' : String(value).toLowerCase();
  if (flags.true.includes(text)) return true;
  if (flags.false.includes(text)) return false;
  if (column === 'disabled') throw new Unreadable('disabled must be true or false.');
  throw new ChangeRefused('verified must be true or false.');
}
