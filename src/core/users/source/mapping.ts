import { Misconfiguration } from '../../../ground/faults/misconfiguration.ts';
import { admins, groupPattern } from '../scopes.ts';

export interface UserMapping {
  readonly table: string;
  readonly id: string;
  readonly username: string;
  readonly password: string;
  readonly firstName: string | undefined;
  readonly lastName: string | undefined;
  readonly disabled: DisabledRule | undefined;
  /** The column with the groups. Undefined: Janua stores the groups. */
  readonly groups: string | undefined;
}

/** Decides by one column whether a user is disabled. NULL equals no value. */
export interface DisabledRule {
  readonly column: string;
  /**
   * The values that mean disabled. `flag`: true or not zero. `set`: all but NULL. `is`: those in `values`. `is-not`: all others, and NULL.
   */
  readonly meaning: 'flag' | 'set' | 'is' | 'is-not';
  readonly values: readonly string[];
}

const keys: readonly string[] = ['id', 'username', 'password', 'first_name', 'last_name', 'disabled', 'groups'];

/**
 * Parses `USERS_TABLE` and `USERS_COLUMNS`, such as `id=emp_no,username=email,password=hash,disabled=status:left|ill`.
 * @throws {Misconfiguration}
 */
export function parseMapping(table: string | undefined, columns: string | undefined): UserMapping | undefined {
  if (table === undefined && columns === undefined) return undefined;
  if (table === undefined || columns === undefined)
    throw new Misconfiguration({ message: 'USERS_TABLE and USERS_COLUMNS go together.', fix: 'Set both, or neither.' });
  const faults: string[] = [];
  const named: Record<string, string> = {};
  for (const pair of columns.split(',')) {
    const [, key = '', value = ''] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (!keys.includes(key) || value === '')
      faults.push(`USERS_COLUMNS: write each part as KEY=COLUMN. The keys are ${keys.join(', ')}.`);
    else if (named[key] !== undefined) faults.push(`USERS_COLUMNS: ${key} is given twice.`);
    else named[key] = value;
  }
  const { id = '', username = '', password = '', first_name: firstName, last_name: lastName, disabled, groups } = named;
  for (const [key, column] of Object.entries({ id, username, password })) {
    if (column === '') faults.push(`USERS_COLUMNS: ${key}=… is missing.`);
  }
  if (!/^[^.\0]+(?:\.[^.\0]+)?$/.test(table)) faults.push('USERS_TABLE must be the name of a table, or SCHEMA.TABLE.');
  if (faults.length > 0) throw new Misconfiguration(...new Set(faults));
  const rule = disabled === undefined ? undefined : parseDisabled(disabled);
  return { table, id, username, password, firstName, lastName, disabled: rule, groups };
}

/** Reads groups as a team stores them: `staff,editors` or `["staff","editors"]`. Leaves out `admins`, which only Janua grants. */
export function readGroups(stored: string): string[] {
  const names = stored.trimStart().startsWith('[') ? parseList(stored) : stored.split(',').map((name) => name.trim());
  return names.filter((name) => typeof name === 'string' && groupPattern.test(name) && name !== admins).sort();
}

function parseList(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** Parses `locked`, `left_on:*`, `status:left|ill` and `active:!1`. */
function parseDisabled(text: string): DisabledRule {
  const [, column = '', rule] = /^([^:]+)(?::(.+))?$/.exec(text) ?? [];
  const wrong = new Misconfiguration(
    'USERS_COLUMNS: write disabled=COLUMN, disabled=COLUMN:VALUE|VALUE, disabled=COLUMN:!VALUE or disabled=COLUMN:*.',
  );
  if (column === '') throw wrong;
  if (rule === undefined) return { column, meaning: 'flag', values: [] };
  if (rule === '*') return { column, meaning: 'set', values: [] };
  const negated = rule.startsWith('!');
  const values = rule
    .slice(negated ? 1 : 0)
    .split('|')
    .map((value) => value.trim());
  // An empty value is a mistake: it would disable no user, or all of them.
  if (values.includes('')) throw wrong;
  return { column, meaning: negated ? 'is-not' : 'is', values };
}

/** Returns whether a user is disabled. `stored` is the column as text; a boolean is 1 or 0, as in databases without booleans. */
export function isDisabled({ meaning, values }: DisabledRule, stored: string | null): boolean {
  const text = stored?.trim();
  switch (meaning) {
    case 'flag':
      return text !== undefined && text !== '0';
    case 'set':
      return text !== undefined;
    case 'is':
      return text !== undefined && values.includes(text);
    case 'is-not':
      return text === undefined || !values.includes(text);
  }
}
