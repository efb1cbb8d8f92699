import { pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { hash as argon2 } from '@node-rs/argon2';
import { hash as bcrypt } from '@node-rs/bcrypt';
import { compose } from '../../src/compose.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import type { Settings } from '../processes/parent.ts';
import { createWorkspace } from '../workspace.ts';

/** A kind of user who tries to log in, without success. All usernames have the same length. */
export interface Kind {
  readonly what: string;
  readonly username: string;
  /** A wrong password. Disabled users give the right one, which must not make a difference. */
  readonly password: string;
}

const wrong = 'incorrect horse battery staple';

const right = 'correct horse battery staple';

/** How the passwords are stored. Undefined for unknown users. */
const schemes: readonly (readonly [
  what: string,
  store: (() => string | Promise<string>) | undefined,
  disabled?: true,
])[] = [
  ['unknown user', undefined],
  ['another unknown user (control)', undefined],
  ['current hash', () => argon2(right, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })],
  ['weak argon2, m=16,t=2', () => argon2(right, { memoryCost: 16, timeCost: 2, parallelism: 1 })],
  ['bcrypt, cost 10', () => bcrypt(right, 10)],
  ['PBKDF2 of Django 3.2', () => djangoPbkdf2(260_000)],
  ['scrypt of Django', djangoScrypt],
  ['disabled, current hash', () => argon2(right, { memoryCost: 19_456, timeCost: 2, parallelism: 1 }), true],
  ['disabled, bcrypt', () => bcrypt(right, 10), true],
];

function djangoPbkdf2(iterations: number): string {
  const salt = randomBytes(11).toString('hex');
  return `pbkdf2_sha256$${iterations}$${salt}$${pbkdf2Sync(right, salt, iterations, 32, 'sha256').toString('base64')}`;
}

function djangoScrypt(): string {
  const salt = randomBytes(11).toString('hex');
  return `scrypt$16384$${salt}$8$1$${scryptSync(right, salt, 64, { N: 16_384, r: 8, p: 1 }).toString('base64')}`;
}

/** A database with a user of each kind. The first two kinds are unknown users, without a difference between them. */
export interface Crowd {
  readonly settings: Settings;
  readonly kinds: readonly Kind[];
}

export async function createCrowd(): Promise<Crowd> {
  const { settings } = await createWorkspace(1);
  const composition = await compose(loadSettings({}, settings));
  const { registry, administration } = await composition.prepare();
  const kinds: Kind[] = [];
  for (const [index, [what, store, disabled = false]] of schemes.entries()) {
    const username = `kind${index}@example.com`;
    if (store !== undefined) {
      const passwordHash = await store();
      await registry?.add({ username, firstName: 'Ann', lastName: 'Archer', passwordHash, demo: false });
    }
    if (disabled) await administration.disable(username);
    kinds.push({ what, username, password: disabled ? right : wrong });
  }
  await composition.close();
  return { settings, kinds };
}
