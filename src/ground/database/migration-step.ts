import type { RawBuilder } from 'kysely';
import { type Engine, type Kysely, sql } from './kysely.ts';

/**
 * A step of the migrations. A released step never changes. A step that was interrupted must complete when it runs again, because MySQL
 * commits each statement separately.
 */
export type MigrationStep = (tables: TableChanges) => Promise<void>;

export type TableChanges = ReturnType<typeof createTableChanges>;

type Columns = Readonly<Record<string, RawBuilder<unknown>>>;

/** Returns the changes that a step may make to the tables. Column types are SQL that all three databases understand. */
export function createTableChanges(
  db: Pick<Kysely<unknown>, 'schema' | 'introspection' | 'getExecutor'>,
  engine: Engine,
) {
  const exact = (length: number) =>
    sql`varchar(${sql.lit(length)})${engine === 'postgres' ? sql` collate "C"` : sql``}`;
  async function hasColumn(table: string, column?: string): Promise<boolean> {
    const tables = await db.introspection.getTables();
    return tables.some(
      ({ name, columns }) => name === table && (column === undefined || columns.some((each) => each.name === column)),
    );
  }
  async function addIndex(table: string, columns: readonly string[]): Promise<void> {
    const name = [table, ...columns].join('_');
    // MySQL has no `if not exists` for indexes.
    const found =
      engine === 'mysql'
        ? await sql`select 1 from information_schema.statistics
            where table_schema = database() and index_name = ${name}`.execute(db)
        : undefined;
    const index = db.schema
      .createIndex(name)
      .on(table)
      .columns([...columns]);
    if (found === undefined) await index.ifNotExists().execute();
    else if (found.rows.length === 0) await index.execute();
  }

  return {
    hasTable: (table: string) => hasColumn(table),

    hasColumn,

    /** Renames a table. Its indexes keep their names. */
    async rename(table: string, to: string): Promise<void> {
      await db.schema.alterTable(table).renameTo(to).execute();
    },

    async drop(table: string): Promise<void> {
      await db.schema.dropTable(table).ifExists().execute();
    },

    async dropColumn(table: string, column: string): Promise<void> {
      if (await hasColumn(table, column)) await db.schema.alterTable(table).dropColumn(column).execute();
    },

    async read<Row>(select: RawBuilder<Row>): Promise<readonly Row[]> {
      return (await select.execute(db)).rows;
    },

    /**
     * The type of a text that is sorted by its bytes, so that an index finds texts by their beginning. PostgreSQL's default is to sort
     * texts by the rules of a language.
     */
    exact,

    /** The type of a text of more than 64 KB. `text` of MySQL ends there, and that of the others has no end. */
    longText: engine === 'mysql' ? sql`mediumtext` : sql`text`,

    /** Creates the table unless it exists. Its keys are compared byte by byte. */
    async create(table: string, columns: Columns): Promise<void> {
      const list = Object.entries(columns).map(([name, type]) => sql`${sql.ref(name)} ${type}`);
      // MySQL's default collations treat `a` and `A` as equal.
      const end = engine === 'mysql' ? sql`character set utf8mb4 collate utf8mb4_bin` : sql``;
      await sql`create table if not exists ${sql.table(table)} (${sql.join(list)}) ${end}`.execute(db);
    },

    /** Adds the missing indexes of a table. @param indexes the columns of each index */
    async addIndexes(table: string, ...indexes: readonly (readonly string[])[]): Promise<void> {
      for (const columns of indexes) await addIndex(table, columns);
    },

    /** Fills a table from another one. @param select reads the values of the columns, in their order */
    async fill(table: string, columns: readonly string[], select: RawBuilder<unknown>): Promise<void> {
      const names = columns.map((name) => sql.ref(name));
      await sql`insert into ${sql.table(table)} (${sql.join(names)}) ${select}`.execute(db);
    },

    /** @param change the rest of the statement after `set`: `column = value where condition` */
    async update(table: string, change: RawBuilder<unknown>): Promise<void> {
      await sql`update ${sql.table(table)} set ${change}`.execute(db);
    },

    /** Changes a text column to the type `exact`. In the other databases, all texts have that type. */
    async orderByBytes(table: string, column: string, length: number): Promise<void> {
      if (engine !== 'postgres') return;
      await sql`alter table ${sql.table(table)} alter column ${sql.ref(column)} type ${exact(length)}`.execute(db);
    },

    async addColumn(table: string, column: string, type: RawBuilder<unknown>): Promise<void> {
      if (!(await hasColumn(table, column)))
        await sql`alter table ${sql.table(table)} add column ${sql.ref(column)} ${type}`.execute(db);
    },
  };
}
