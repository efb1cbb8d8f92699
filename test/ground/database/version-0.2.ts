import { readFile } from 'node:fs/promises';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openUserDatabase, type UserEngine } from '../../stores.ts';
import { openTestDatabase } from './open.ts';

/** A database with the empty tables of version 0.2.0, which that version made. It is removed with its scope. */
export async function openVersion02(engine: UserEngine) {
  const own = await openUserDatabase(engine);
  const opened = await openTestDatabase(own.url);
  const run = async (text: string) => {
    for (const statement of text.split(';').filter((part) => part.trim() !== ''))
      await sql.raw(statement).execute(opened.database);
  };
  await run(await readFile(new URL(`version-0.2/${engine}.sql`, import.meta.url), 'utf8'));
  return {
    opened,
    database: opened.database,
    /** Runs statements that end with a semicolon. */
    run,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await own.drop();
    },
  };
}
