import type { RawBuilder } from 'kysely';
import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { type Searchable, wordsOf } from './user.ts';
import type { Candidate, ListedUser, Walk } from './user-directory.ts';

type Expression = RawBuilder<unknown>;

/** After every text that begins with a prefix. */
const last = '\u{10ffff}';

/**
 * The end of a statement that reads rows in the order of a value. An index has to begin with that value.
 * @param id tells rows with the same value apart. Undefined if none have
 */
export function inOrder(
  value: Expression,
  id: Expression | undefined,
  { after, descending, limit }: Pick<Walk, 'after' | 'descending' | 'limit'>,
  { where = sql`1 = 1`, toId = (text: string): Expression => sql`${text}` } = {},
): Expression {
  const [than, direction] = descending ? [sql`<`, sql`desc`] : [sql`>`, sql`asc`];
  const [text, key = ''] = after ?? [];
  const beyond = sql`${value} ${than} ${text}`;
  // Begins with a comparison of the value alone, because MariaDB finds no range by pairs.
  const from = id === undefined ? beyond : sql`${value} ${than}= ${text} and (${beyond} or ${id} ${than} ${toId(key)})`;
  return sql`where ${where} and ${text === undefined ? sql`${value} is not null` : from}
    order by ${value} ${direction}${id === undefined ? sql`` : sql`, ${id} ${direction}`} limit ${sql.lit(limit)}`;
}

/** A text of each user that an index finds. */
export interface IndexedField {
  readonly name: Searchable;
  readonly table: Expression;
  readonly where?: Expression;
  readonly value: Expression;
  readonly id: Expression;
  /** Whether the value begins with a prefix, if comparing it with the texts around the prefix does not tell. */
  readonly beginsWith?: (prefix: string) => Expression;
}

interface SearchOptions {
  readonly fields: readonly IndexedField[];
  readonly listSome: (ids: readonly string[]) => Promise<ListedUser[]>;
  /** For columns of other types. */
  readonly asText?: (value: Expression) => Expression;
  readonly toId?: (text: string) => Expression;
}

/** Finds users by the beginning of their address or names. */
export function createSearch(database: Database, { fields, listSome, asText = (value) => value, toId }: SearchOptions) {
  const hasPrefix = ({ where = sql`1 = 1`, value, beginsWith }: IndexedField, prefix: string) =>
    sql`${where} and ${beginsWith?.(prefix) ?? sql`${value} >= ${prefix} and ${value} < ${prefix + last}`}`;

  return {
    searched: fields.map(({ name }) => name),

    async findByPrefix(prefix: string, limit: number): Promise<string[]> {
      const found = fields.map(
        (field) => sql`select * from (select ${asText(field.id)} as id from ${field.table}
          where ${hasPrefix(field, prefix)} limit ${sql.lit(limit)}) ${sql.ref(field.name)}`,
      );
      const { rows } = await sql<{ id: string }>`${sql.join(found, sql` union all `)}`.execute(database);
      return rows.map(({ id }) => id);
    },

    /** The users that the first field finds come first. The key of each names the field too. */
    async walkWords(prefix: string, { after, descending, limit }: Omit<Walk, 'sort'>): Promise<Candidate[]> {
      const [value = '', place = ''] = after ?? [];
      const [, begin = '0', id = ''] = /^(\d) (.*)$/s.exec(place) ?? [];
      const found: { value: string; id: string; index: number }[] = [];
      for (const [index, field] of fields.entries()) {
        if (index < Number(begin) || found.length === limit) continue;
        const part = {
          after: after && index === Number(begin) ? [value, id] : undefined,
          descending,
          limit: limit - found.length,
        };
        const { rows } = await sql<{ value: string; id: string }>`
          select ${asText(field.value)} as value, ${asText(field.id)} as id from ${field.table}
          ${inOrder(field.value, field.id, part, { where: hasPrefix(field, prefix), ...(toId && { toId }) })}`.execute(
          database,
        );
        found.push(...rows.map((row) => ({ ...row, index })));
      }
      const users = new Map((await listSome([...new Set(found.map((row) => row.id))])).map((user) => [user.id, user]));
      return found.map((row) => {
        const user = users.get(row.id);
        const words = user && wordsOf(user);
        const isShown = fields.slice(0, row.index).some(({ name }) => words?.[name]?.startsWith(prefix));
        return { key: [row.value, `${row.index} ${row.id}`], user: isShown ? undefined : user };
      });
    },
  };
}
