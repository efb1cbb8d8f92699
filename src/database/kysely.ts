import { createRequire } from 'node:module';
import type * as kysely from 'kysely';

/** Kysely as CommonJS: its three hundred ES modules take 90 ms more to load, at every start and for every command. */
export const {
  Kysely,
  Migrator,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
}: typeof kysely = createRequire(import.meta.url)('kysely');

export type Kysely<Tables> = kysely.Kysely<Tables>;
