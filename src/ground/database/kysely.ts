import { createRequire } from 'node:module';
import type * as types from 'kysely';

/** Loads Kysely as CommonJS, because its 300 ES modules add 50 ms to every start (medians of 20 starts: 433 and 482 ms of CPU). */
const kysely: typeof types = createRequire(import.meta.url)('kysely');

export const { Kysely, Migrator, sql } = kysely;

export type Kysely<Tables> = types.Kysely<Tables>;

/** The SQL dialect. MariaDB counts as MySQL. */
export type Engine = 'sqlite' | 'postgres' | 'mysql';

const dialects = {
  sqlite: [kysely.SqliteAdapter, kysely.SqliteIntrospector, kysely.SqliteQueryCompiler],
  postgres: [kysely.PostgresAdapter, kysely.PostgresIntrospector, kysely.PostgresQueryCompiler],
  mysql: [kysely.MysqlAdapter, kysely.MysqlIntrospector, kysely.MysqlQueryCompiler],
} as const;

export function createDialect(engine: Engine, driver: types.Driver): types.Dialect {
  const [Adapter, Introspector, QueryCompiler] = dialects[engine];
  const adapter = new Adapter();
  // SQLite's DDL is transactional. With this property, Kysely migrates in a transaction, whose write lock keeps two migrations apart.
  if (engine === 'sqlite') Object.defineProperty(adapter, 'supportsTransactionalDdl', { value: true });
  // `migrate` takes a lock that ends with its transaction. Kysely's own lock would belong to the connection, which a PgBouncer may give to
  // another client.
  if (engine === 'postgres')
    Object.assign(adapter, { async acquireMigrationLock() {}, async releaseMigrationLock() {} });
  return {
    createAdapter: () => adapter,
    createDriver: () => driver,
    createIntrospector: (db) => new Introspector(db),
    createQueryCompiler: () => new QueryCompiler(),
  };
}
