import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import type { EngineDriver, StepTimeout } from './driver.ts';
import { createDialect, type Engine, Kysely, sql } from './kysely.ts';
import { createPrepareLookup, findExactly } from './lookup.ts';
import { readPostgresHosts } from './postgres-hosts.ts';
import type { Tables } from './schema.ts';

export type Database = Kysely<Tables>;

export type { Engine };

export type OpenDatabase = Awaited<ReturnType<typeof openDatabase>>;

export interface DatabaseOptions {
  readonly connections: number;
  readonly timeoutMilliseconds: number;
  readonly watch: StoreWatch;
  /** Whether a missing SQLite file is an error. Otherwise it is created. */
  readonly mustExist?: boolean;
  /** Whether no other process may use a SQLite file until it is closed. */
  readonly alone?: boolean;
}

const engines: Readonly<Record<string, Engine>> = {
  'sqlite:': 'sqlite',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};

const wrongUrl =
  'DATABASE_URL must be sqlite: and a path, such as sqlite:./data/janua.db, or postgres://, mysql:// or mariadb:// ' +
  'and USER:PASSWORD@HOST:PORT/DATABASE.';

const noUri = 'DATABASE_URL: sqlite: takes a path, such as sqlite:./data/janua.db, but no SQLite URI (file:…).';

/**
 * Returns the database as one transaction sees it. Parts that are made with it read and write in that transaction alone, and their own
 * transactions become a part of it.
 */
export const openWithin = (opened: OpenDatabase, transaction: Database): OpenDatabase => ({
  ...opened,
  database: transaction,
  prepareLookup: (build, column) =>
    findExactly(async (...values) => (await transaction.executeQuery(build(...values).compile())).rows, column),
  // The transaction itself shows that the database can be reached.
  check: async () => {},
});

/** Returns the engine of a URL. @throws {Misconfiguration} for the URL of an unknown database */
export function engineOf(url: string): Engine {
  const engine = engines[/^[a-z]+:/.exec(url)?.[0] ?? ''];
  // SQLite reads a path that begins with `file:` as a URI. It could then open another file than the file that gets mode 0600.
  if (url.startsWith('sqlite:file:')) throw new Misconfiguration(noUri);
  const urls = engine === 'postgres' ? readPostgresHosts(url).urls : [url];
  const complete = engine === 'sqlite' ? url !== 'sqlite:' : urls.every(isServerUrl);
  if (engine === undefined || !complete) throw new Misconfiguration(wrongUrl);
  return engine;
}

function isServerUrl(url: string): boolean {
  try {
    const { username, password, pathname } = new URL(url);
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return /^[a-z]+:\/\//.test(url) && pathname.length > 1;
  } catch {
    return false;
  }
}

/** Opens a database. A server is connected only when it is first used. @throws {Misconfiguration} if the URL or the file cannot be used */
export async function openDatabase(url: string, options: DatabaseOptions) {
  const { connections, timeoutMilliseconds, watch, mustExist = false, alone = false } = options;
  const engine = engineOf(url);
  const timeout: StepTimeout = { milliseconds: timeoutMilliseconds };
  const driver = await openDriver();
  const database: Database = new Kysely({ dialect: createDialect(engine, driver) });
  return {
    database,
    engine,
    prepareLookup: createPrepareLookup(driver),
    losesStatements: () => driver.losesStatements?.() === true,
    /** Changes the time limit of each step until `work` is done. */
    async withTimeout(milliseconds: number, work: () => Promise<void>): Promise<void> {
      timeout.milliseconds = milliseconds;
      await work().finally(() => {
        timeout.milliseconds = timeoutMilliseconds;
      });
    },
    /** @throws {Unavailable} while the database cannot be reached, or when another file has replaced the opened file */
    async check(): Promise<void> {
      await sql`select 1`.execute(database);
      driver.check?.();
    },
  };

  async function openDriver(): Promise<EngineDriver> {
    switch (engine) {
      case 'sqlite':
        return (await import('./sqlite.ts')).openSqlite(url.slice('sqlite:'.length), {
          timeout,
          watch,
          mustExist,
          alone,
        });
      case 'postgres':
        return (await import('./postgres.ts')).openPostgres(url, connections, timeout, watch);
      case 'mysql':
        return (await import('./mysql.ts')).openMysql(url, connections, timeout, watch);
    }
  }
}
