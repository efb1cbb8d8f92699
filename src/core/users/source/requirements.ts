import type { Engine } from '../../../ground/database/database.ts';
import type { Fault } from '../../../ground/faults/misconfiguration.ts';
import type { UserMapping } from './mapping.ts';
import type { ColumnDescription, ColumnKind, IndexDescription, TableDescription } from './table-description.ts';

/** The ways in which an index finds a name regardless of case. */
export type NameMatch = 'equal' | 'nocase' | 'lower';

export type Fitness = ReturnType<typeof judgeTable>;

/**
 * The values that `disabled=COLUMN:VALUE` can compare as text, by kind of column. Times and fractions have many spellings, so these kinds
 * are missing.
 */
const valuesOf: Readonly<Partial<Record<ColumnKind, RegExp>>> = {
  boolean: /^[01]$/,
  integer: /^-?\d+$/,
  text: /./s,
  enum: /./s,
  uuid: /./s,
};

/** Characters of the longest hash that Janua stores: argon2id in PHC form, 16 bytes of salt and 32 of hash. */
const hashLength = 97;

/**
 * Checks whether users can sign in with a table, and how Janua finds them.
 * @param rehashes whether Janua writes new hashes into the table
 */
export function judgeTable(
  { table, ...mapping }: UserMapping,
  { columns, indexes }: TableDescription,
  engine: Engine,
  rehashes: boolean,
) {
  const faults: Fault[] = [];
  const refuse = (message: string, fix?: string) =>
    faults.push({ message: `USERS_COLUMNS: ${message}`, ...(fix && { fix }) });
  const fold = (name: string) => (engine === 'postgres' ? name : name.toLowerCase());
  const indexesOf = (name: string) => indexes.filter(({ column }) => fold(column) === fold(name));

  function requireColumn(
    use: string,
    name: string | undefined,
    kinds?: readonly ColumnKind[],
    what?: string,
  ): ColumnDescription | undefined {
    if (name === undefined) return undefined;
    const column = columns.find((each) => fold(each.name) === fold(name));
    const known = columns.map((each) => each.name).join(', ');
    if (column === undefined) refuse(`${table} has no column ${name}, for ${use}.`, `It has: ${known}.`);
    else if (kinds?.includes(column.kind) === false) refuse(`${column.name} is ${column.type}, but ${what}.`);
    else return column;
    return undefined;
  }

  const id = requireColumn(
    'id',
    mapping.id,
    ['integer', 'text', 'uuid'],
    'an id must be a whole number, a text or a UUID',
  );
  if (id !== undefined && /zerofill/i.test(id.type))
    refuse(`${id.name} is ZEROFILL: another width would make all ids other texts.`, 'Remove ZEROFILL from the column.');
  if (id !== undefined && !indexesOf(id.name).some(({ unique, form }) => unique && form === 'plain'))
    refuse(`${id.name} is not unique: two users could have the same id.`, 'Name the primary key.');

  const username = requireColumn('username', mapping.username, ['text'], 'a username must be a text');
  const indexesOfName = username === undefined ? [] : indexesOf(username.name);
  const nameMatch = username && bestForm(username, indexesOfName);
  if (username !== undefined) {
    const { name } = username;
    const fix = `Run: ${uniqueIndex(table, username, engine)}`;
    if (indexesOfName.length === 0) refuse(`${name} has no index: every login would read the whole table.`, fix);
    else if (!indexesOfName.some(({ unique }) => unique))
      refuse(`${name} is not unique: two users could have the same name.`, fix);
    else if (nameMatch === undefined)
      refuse(
        `${name} is unique by an index that respects case: two users could have names that differ in case alone.`,
        fix,
      );
  }

  const password = requireColumn('password', mapping.password, ['text'], 'a password hash must be a text');
  // SQLite does not enforce the length in a type.
  const maxLength = engine === 'sqlite' ? undefined : /\((\d+)\)/.exec(password?.type ?? '')?.[1];
  if (rehashes && password !== undefined && Number(maxLength) < hashLength)
    refuse(
      `${password.name} is ${password.type}, too short for a rehashed password.`,
      `Make it at least ${hashLength} characters long, or set PASSWORD_REHASH=off.`,
    );

  requireColumn('first_name', mapping.firstName, ['text', 'enum'], 'a first name must be a text');
  requireColumn('last_name', mapping.lastName, ['text', 'enum'], 'a last name must be a text');

  requireColumn('groups', mapping.groups, ['text'], 'groups must be a text');

  const disabled = requireColumn('disabled', mapping.disabled?.column);
  if (disabled !== undefined && mapping.disabled !== undefined) {
    const { meaning, values } = mapping.disabled;
    const { name, type, kind } = disabled;
    if (meaning === 'flag' && kind !== 'integer' && kind !== 'boolean')
      refuse(
        `${name} is ${type}, but must be a boolean or a whole number.`,
        `List the values that mean disabled: disabled=${name}:VALUE, :!VALUE for all other values, or :* for any value.`,
      );
    if (values.some((value) => !valuesOf[kind]?.test(value)))
      refuse(
        `${name} is ${type} and cannot hold a value that disabled= lists.`,
        'Write a boolean as 1 or 0, a whole number in digits, and a text as it is. For other types write :*, which means any value.',
      );
  }

  return {
    faults,
    nameMatch,
    disabledKind: disabled?.kind,
    id,
  };
}

/** Returns how a unique index finds a name regardless of case. Undefined if no index can. */
function bestForm({ ignoresCase }: ColumnDescription, indexes: readonly IndexDescription[]): NameMatch | undefined {
  const forms = new Set(indexes.filter(({ unique }) => unique).map(({ form }) => form));
  if (ignoresCase && forms.has('plain')) return 'equal';
  if (forms.has('lower')) return 'lower';
  return forms.has('nocase') ? 'nocase' : undefined;
}

function uniqueIndex(table: string, { name, type }: ColumnDescription, engine: Engine): string {
  const [on, column] = [quoteName(table, engine), quoteName(name, engine)];
  switch (engine) {
    case 'sqlite':
      return `CREATE UNIQUE INDEX ${quoteName(`${table}_${name}`, engine)} ON ${on} (${column} COLLATE NOCASE);`;
    case 'postgres':
      return `CREATE UNIQUE INDEX ON ${on} (lower(${column}));`;
    case 'mysql':
      return `ALTER TABLE ${on} MODIFY ${column} ${type} COLLATE utf8mb4_unicode_ci, ADD UNIQUE (${column});`;
  }
}

/** Quotes a name for a statement, but only if necessary, so that printed statements read well. */
export function quoteName(name: string, engine: Engine): string {
  const quote = engine === 'mysql' ? '`' : '"';
  return name
    .split('.')
    .map((part) =>
      /^[a-z_][a-z0-9_]*$/.test(part) ? part : `${quote}${part.replaceAll(quote, quote + quote)}${quote}`,
    )
    .join('.');
}
