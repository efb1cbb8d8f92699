import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tables } from '../../../src/ground/database/schema.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { openMigratedDatabase, type UserEngine } from '../../stores.ts';
import { createWorkplace } from '../janua-command.ts';

const github = [{ id: 'github', kind: 'github', clientId: 'x', clientSecret: 'y' }];

/** A folder and an empty database, with commands that use both. GitHub is configured as a provider. */
export async function openImport(engine: UserEngine = 'SQLite') {
  const [workplace, database] = [await createWorkplace(), await openMigratedDatabase(engine)];
  const path = (name: string) => join(workplace.folder, name);
  const write = (name: string, text: string | Buffer) => writeFile(path(name), text);
  await write('upstreams.json', JSON.stringify(github));
  const env = {
    DATABASE_URL: database.url,
    PUBLIC_URL: 'https://auth.example.com',
    ENCRYPTION_KEY_FILE: path('encryption.key'),
    UPSTREAMS_FILE: path('upstreams.json'),
    SCOPES: 'reports:read',
  };
  const run = (args: readonly string[], input = '') => workplace.run(args, { env, input });

  return {
    ...{ env, workplace, run, write },
    importRealm: (...options: string[]) => run(['import', 'keycloak', ...options]),
    async rows<Table extends keyof Tables>(table: Table) {
      await using opened = await openTestDatabase(database.url);
      const rows: object[] = await opened.database
        .selectFrom(table as 'janua_users')
        .selectAll()
        .execute();
      return rows as Record<string, unknown>[];
    },
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}

/** The summary of an import, as numbers: added, there already, refused. */
export const countsOf = (text: string): Record<string, readonly number[]> =>
  Object.fromEntries(
    [...text.matchAll(/^(?:Stopped\. Run it again to go on\. )?(\w+)\. .*: (\d+)\..*: (\d+)\..*: (\d+)\.$/gm)].map(
      ([, what = '', ...counts]) => [what, counts.map(Number)],
    ),
  );
