import { copyFileSync, existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { openDatabase } from '../../src/ground/database/database.ts';
import { migrate } from '../../src/ground/database/migrations.ts';
import { unwatched } from '../../src/ground/faults/store-watch.ts';
import { createTemporaryFolder, fastFolder } from './process-end.ts';
import {
  createDatabase,
  executeIn,
  type OwnDatabase,
  type ServerEngine,
  sharedServers,
  sharedServerVariables,
  urlIn,
} from './shared.ts';
import { templateFolder } from './throw-away-server.ts';

/** A database of the shared server with our own tables, which others are copied from: all migrations take a second. */
const template = 'janua_template';

/** Makes the template of a server. A whole run does it once; a test file that runs alone does it for its own server. */
export async function createTemplate(engine: ServerEngine, server: string): Promise<void> {
  await executeIn[engine](server, `create database ${template}`);
  await migrateAt(urlIn(server, template));
}

async function migrateAt(url: string): Promise<void> {
  const opened = await openDatabase(url, { connections: 1, timeoutMilliseconds: 60_000, watch: unwatched });
  try {
    await migrate(opened);
  } finally {
    await opened.database.destroy();
  }
}

let file: Promise<string> | undefined;

/** Creates a file of SQLite with our own tables, all of them empty. */
export async function createMigratedFile(): Promise<OwnDatabase> {
  file ??= createTemplateFile();
  const folder = createTemporaryFolder('sqlite', fastFolder());
  const path = join(folder.path, 'janua.db');
  copyFileSync(await file, path);
  return { url: `sqlite:${path}`, drop: async () => folder.remove() };
}

/** The first of the processes that share the folder makes the file. */
async function createTemplateFile(): Promise<string> {
  const shared = join(await templateFolder(), 'sqlite.db');
  if (existsSync(shared)) return shared;
  const own = await mkdtemp(`${shared}-`);
  await migrateAt(`sqlite:${join(own, 'janua.db')}`);
  await rename(join(own, 'janua.db'), shared);
  await rm(own, { recursive: true });
  return shared;
}

const made = new Map<ServerEngine, Promise<void>>();

async function requireTemplate(engine: ServerEngine): Promise<void> {
  if (process.env[sharedServerVariables[engine]]) return;
  const making = made.get(engine) ?? sharedServers[engine]().then((server) => createTemplate(engine, server));
  made.set(engine, making);
  await making;
}

/** Creates a database with our own tables, all of them empty. */
export async function createMigratedDatabase(engine: ServerEngine): Promise<OwnDatabase> {
  await requireTemplate(engine);
  if (engine === 'postgres') return createDatabase(engine, `template ${template}`);
  const own = await createDatabase(engine);
  await copyTables(own.url);
  return own;
}

let statements: Promise<string> | undefined;

/** MariaDB has no templates: the same tables are created with what they have become. */
async function copyTables(url: string): Promise<void> {
  statements ??= readStatements(url);
  const connection = await createConnection({ uri: url, multipleStatements: true });
  try {
    await connection.query(await statements);
  } finally {
    await connection.end();
  }
}

async function readStatements(url: string): Promise<string> {
  const connection = await createConnection(urlIn(url, template));
  try {
    const [tables] = await connection.query({ sql: 'show tables', rowsAsArray: true });
    const created: string[] = [];
    for (const [table] of tables as [string][]) {
      const [rows] = await connection.query({ sql: `show create table ${table}`, rowsAsArray: true });
      const [[, statement]] = rows as unknown as [[string, string]];
      created.push(statement, `insert into ${table} select * from ${template}.${table}`);
    }
    return created.join(';\n');
  } finally {
    await connection.end();
  }
}
