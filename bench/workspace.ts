import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../src/compose.ts';
import { loadSettings } from '../src/config/load.ts';
import type { Settings } from './processes/parent.ts';
import { loginRequest } from './requests.ts';

const password = 'correct horse battery staple';

/** A database in a folder of its own, with users in it; the folder goes when the process ends. */
export interface Workspace {
  /** For a server on this database. */
  readonly settings: Settings;
  readonly password: string;
  /** As stored for the first user: what a login has to compute. */
  readonly passwordHash: string;
  /** Of a session of the first user. */
  readonly cookie: string;
  readonly accessToken: string;
  /** One login for each user, as whole HTTP requests: each connection signs in somebody else. */
  readonly loginRequests: readonly string[];
}

export async function createWorkspace(users: number): Promise<Workspace> {
  const folder = mkdtempSync(join(tmpdir(), 'janua-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const settings = {
    DATABASE_URL: `sqlite:${join(folder, 'janua.db')}`,
    LOG_LEVEL: 'warn',
    THROTTLE: 'off',
    PORT: '0',
  };

  const composition = await compose(loadSettings({}, settings), { migrates: true });
  const services = await composition.prepare();
  const usernames = Array.from({ length: users }, (_, index) => `user${index}@example.com`);
  for (const username of usernames) {
    await services.administration.add({ username, firstName: 'Ann', lastName: 'Archer', password });
  }
  const [username = ''] = usernames;
  const account = await services.users.findByUsername(username);
  const { session } = await services.identity.logIn(
    { username, password, presented: {}, network: undefined, findKnownBrowser: () => undefined },
    { route: 'bench' },
  );
  await composition.close();
  return {
    settings,
    password,
    passwordHash: account?.passwordHash ?? '',
    cookie: session.cookie,
    accessToken: session.accessToken,
    loginRequests: usernames.map((name) => loginRequest(name, password)),
  };
}
