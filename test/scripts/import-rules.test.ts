import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTemporaryFolder } from '../servers/process-end.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A file, its import, and whether the rules of `biome.json` and `lint/` allow it. */
const imports: [file: string, imported: string, allowed: boolean][] = [
  ['src/core/throttle/new.ts', '../web/flow.ts', false],
  ['src/core/throttle/new.ts', '../database/database.ts', true],
  ['src/core/throttle/new.ts', '../sign-in/log-in.ts', false],
  ['src/core/audit/new.ts', '../sessions/sessions.ts', false],
  ['src/core/sessions/new.ts', '../users/user.ts', false],
  ['src/core/users/mapped/new.ts', '../../passwords/passwords.ts', true],
  ['src/core/users/mapped/new.ts', '../../compose.ts', false],
  ['src/sign-in/new.ts', '../forward-auth/returns.ts', false],
  ['src/sign-in/new.ts', '../compose.ts', false],
  ['src/sign-in/new.ts', '../sessions/sessions.ts', true],
  ['src/sign-in/sql-store.ts', '../database/database.ts', true],
  ['src/sign-in/sql-store.ts', 'kysely', false],
  ['src/account/new.ts', '../sign-in/log-in.ts', false],
  ['src/second-factor/new.ts', '../encryption/cipher.ts', true],
  ['src/second-factor/new.ts', '../sign-in/log-in.ts', false],
  ['src/oidc/new.ts', 'oidc-provider', true],
  ['src/oidc/new.ts', '../redis/redis.ts', true],
  ['src/oidc/new.ts', '../forward-auth/returns.ts', false],
  ['src/oidc/new.ts', '../upstream/parts.ts', false],
  ['src/oidc/new.ts', '../web/action.ts', true],
  ['src/oidc/new.ts', 'fastify', false],
  ['src/doctor/new.ts', '../oidc/clients.ts', true],
  ['src/upstream/new.ts', 'openid-client', true],
  ['src/upstream/new.ts', '../second-factor/factors.ts', false],
  ['src/upstream/new.ts', '../config/settings.ts', false],
  ['src/ground/encryption/new.ts', '../database/database.ts', false],
  ['src/account/new.routes.ts', '../web/action.ts', true],
  ['src/account/new.routes.ts', 'fastify', true],
  ['src/account/new.ts', 'fastify', false],
  ['src/web/hooks/new.ts', 'fastify', true],
  ['src/web/new.ts', '../sign-in/log-in.ts', false],
  ['src/web/new.ts', '../config/settings.ts', false],
  ['src/web/new.ts', '../database/database.ts', false],
  ['src/ground/database/new.ts', 'kysely', true],
  ['src/core/access/new.ts', 'pg', false],
  ['src/ground/config/new.ts', '../sign-in/log-in.ts', false],
  ['src/new.ts', 'fastify', false],
  ['src/doctor/new.ts', '../web/flow.ts', false],
  ['src/commands/new.ts', 'fastify', false],
  ['selftest/new.ts', '../src/server.ts', false],
];

const folder = createTemporaryFolder('import-rules');
after(() => folder.remove());

for (const name of ['biome.json', 'lint', 'package.json', '.gitignore'])
  await cp(join(root, name), join(folder.path, name), { recursive: true });
await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'), 'junction');

/** Whether Biome refuses a file with only this import. */
async function isRefused(file: string, imported: string): Promise<boolean> {
  const path = join(folder.path, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `import '${imported}';\n`);
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--vcs-enabled=false', path];
  const { promise, resolve } = Promise.withResolvers<boolean>();
  execFile(process.execPath, args, { cwd: folder.path }, (error) => resolve(error !== null));
  const refused = await promise;
  await rm(path);
  return refused;
}

for (const [file, imported, allowed] of imports)
  test(`${file} ${allowed ? 'may' : 'may not'} import ${imported}`, async () => {
    assert.equal(await isRefused(file, imported), !allowed);
  });
