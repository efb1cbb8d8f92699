import { Misconfiguration } from '../misconfiguration.ts';
import { Kysely } from './kysely.ts';
import type { Tables } from './schema.ts';
import { createSqliteDialect } from './sqlite.ts';

export type Database = Kysely<Tables>;

/**
 * Opens the database that a URL names.
 * @throws {Misconfiguration} for a URL that names none, or a file that cannot be opened
 */
export function openDatabase(url: string): Database {
  const [, path] = /^sqlite:(.+)$/.exec(url) ?? [];
  if (path === undefined)
    throw new Misconfiguration('DATABASE_URL must be sqlite: and a path, such as sqlite:./data/janua.db.');
  return new Kysely<Tables>({ dialect: createSqliteDialect(path) });
}
