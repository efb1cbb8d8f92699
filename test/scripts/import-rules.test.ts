import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, glob, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTemporaryFolder } from '../servers/process-end.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A file, its import, and whether the rules of `biome.json` and `lint/` allow it. */
const imports: [file: string, imported: string, allowed: boolean][] = [
  ['src/ground/text/new.ts', '../faults/log.ts', true],
  ['src/ground/database/new.ts', 'kysely', true],
  ['src/ground/database/new.ts', '../../core/users/user.ts', false],
  ['src/ground/config/new.ts', '../../capabilities/sign-in/log-in.ts', false],
  ['src/ground/encryption/new.ts', '../../web/flow.ts', false],
  ['src/ground/redis/new.ts', '../../compose.ts', false],
  ['src/core/throttle/new.ts', '../../ground/database/database.ts', true],
  ['src/core/throttle/new.ts', '../../web/flow.ts', false],
  ['src/core/throttle/new.ts', '../../capabilities/sign-in/log-in.ts', false],
  ['src/core/users/source/new.ts', '../../passwords/passwords.ts', true],
  ['src/core/users/source/new.ts', '../../../compose.ts', false],
  ['src/core/access/new.ts', 'kysely', true],
  ['src/core/access/new.ts', 'pg', false],
  ['src/core/users/new.ts', '@node-rs/argon2', false],
  ['src/core/sessions/new.ts', 'ioredis', false],
  ['src/core/audit/new.ts', '../../doctor/check-up.ts', false],
  ['src/web/hooks/new.ts', 'fastify', true],
  ['src/web/new.ts', '../core/access/access.ts', true],
  ['src/web/new.ts', '../core/sessions/sessions.ts', false],
  ['src/web/new.ts', '../ground/config/settings.ts', false],
  ['src/web/new.ts', '../ground/database/database.ts', false],
  ['src/web/new.ts', '../capabilities/sign-in/log-in.ts', false],
  ['src/capabilities/sign-in/new.ts', '../forward-auth/returns.ts', false],
  ['src/capabilities/sign-in/new.ts', '../a-later-one/rules.ts', false],
  ['src/capabilities/sign-in/new.ts', './log-in.ts', true],
  ['src/capabilities/sign-in/new.ts', '../../compose.ts', false],
  ['src/capabilities/sign-in/new.ts', '../../core/sessions/sessions.ts', true],
  ['src/capabilities/sign-in/sql-store.ts', '../../ground/database/database.ts', true],
  ['src/capabilities/sign-in/sql-store.ts', 'kysely', false],
  ['src/capabilities/second-factor/new.ts', '../../ground/encryption/cipher.ts', true],
  ['src/capabilities/second-factor/new.ts', '@simplewebauthn/server', true],
  ['src/capabilities/account/new.ts', '@simplewebauthn/server', false],
  ['src/capabilities/account/new.routes.ts', '../../web/action.ts', true],
  ['src/capabilities/account/new.routes.ts', 'fastify', true],
  ['src/capabilities/account/new.ts', 'fastify', false],
  ['src/capabilities/oidc/provider/new.ts', 'oidc-provider', true],
  ['src/capabilities/oidc/clients/new.ts', 'oidc-provider', false],
  ['src/capabilities/oidc/clients/new.ts', '../records/records.ts', true],
  ['src/capabilities/oidc/clients/new.ts', '../../upstream/composition.ts', false],
  ['src/capabilities/oidc/clients/new.ts', '../../../core/users/user.ts', true],
  ['src/capabilities/oidc/new.ts', '../../ground/redis/redis.ts', true],
  ['src/capabilities/oidc/new.ts', '../upstream/composition.ts', false],
  ['src/capabilities/upstream/new.ts', 'openid-client', true],
  ['src/capabilities/upstream/new.ts', '../../ground/config/settings.ts', false],
  ['src/doctor/new.ts', '../capabilities/oidc/clients/clients.ts', true],
  ['src/doctor/new.ts', '../web/flow.ts', false],
  ['src/commands/new.ts', 'fastify', false],
  ['src/commands/new.ts', '../compose.ts', true],
  ['src/new.ts', 'fastify', false],
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

/** The rooms of a wing, each with those of the same wing that it imports. */
async function roomsOf(wing: string): Promise<Map<string, Set<string>>> {
  const rooms = new Map<string, Set<string>>();
  for await (const file of glob(`src/${wing}/*/**/*.ts`, { cwd: root })) {
    const roomOf = (path: string) => relative(join('src', wing), path).split(sep)[0] ?? '';
    const imported = rooms.getOrInsertComputed(roomOf(file), () => new Set());
    for (const [, path = ''] of (await readFile(join(root, file), 'utf8')).matchAll(/'(\.\.\/[^']*\.ts)'/g)) {
      const room = roomOf(join(dirname(file), path));
      if (room !== '..' && room !== roomOf(file)) imported.add(room);
    }
  }
  return rooms;
}

for (const wing of ['ground', 'core'])
  test(`rooms of ${wing} import each other in no circle`, async () => {
    const rooms = await roomsOf(wing);
    assert.ok(rooms.size > 5);
    // Takes away the rooms that import nothing more, until none is left.
    for (let size = 0; size !== rooms.size; ) {
      size = rooms.size;
      for (const [room, imported] of rooms) if (![...imported].some((other) => rooms.has(other))) rooms.delete(room);
    }
    assert.deepEqual([...rooms.keys()], []);
  });
