import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openMigratedDatabase, type UserEngine } from '../../stores.ts';
import { createWorkplace } from '../janua-command.ts';

export const publicUrl = 'https://auth.example.com';

/** A folder and an empty database, with commands that use both. */
export async function openApply(engine: UserEngine) {
  const [workplace, database] = [await createWorkplace(), await openMigratedDatabase(engine)];
  const env = { DATABASE_URL: database.url, PUBLIC_URL: publicUrl, SCOPES: 'reports:read' };

  async function run(args: readonly string[], options: { readonly input?: string; readonly alone?: boolean } = {}) {
    const { code, stdout, stderr } = await workplace.run(args, { env, ...options });
    return { code, stdout, text: stdout + stderr };
  }

  return {
    env,
    workplace,
    run,
    write: (name: string, text: string) => writeFile(join(workplace.folder, name), text),
    /** Writes the file, and applies it. */
    async apply(text: string, ...options: string[]) {
      await writeFile(join(workplace.folder, 'janua.yaml'), text);
      return run(['apply', 'janua.yaml', ...options]);
    },
    export: async (...options: string[]) => (await run(['export', '--apply', ...options])).stdout,
    /** The events, as kind and route. */
    async events(): Promise<string[]> {
      const lines = (await run(['audit', '--json'])).stdout.trim().split('\n').filter(Boolean);
      return lines.map((line) => JSON.parse(line)).map(({ kind, caller }) => `${kind} by ${caller.route}`);
    },
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}
