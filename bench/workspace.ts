import { join } from 'node:path';
import { compose } from '../src/compose.ts';
import { loadSettings } from '../src/config/load.ts';
import { createTemporaryFolder } from '../test/servers/process-end.ts';
import type { Settings } from './processes/parent.ts';
import { loginRequest } from './requests.ts';

const password = 'correct horse battery staple';

/** Who can sign in, all with one password. */
export interface Users {
  readonly usernames: readonly string[];
  readonly password: string;
}

export const inventUsers = (count: number): Users => {
  return { usernames: Array.from({ length: count }, (_, index) => `user${index}@example.com`), password };
};

/** Gone when the process ends. */
export const createFolder = () => createTemporaryFolder('bench').path;

/** Stores with users in them. */
export interface Workspace extends Users {
  /** For a server on these stores. */
  readonly settings: Settings;
  /** As stored for the first user: what a login has to compute. */
  readonly passwordHash: string;
  /** Of a session of the first user. */
  readonly cookie: string;
  readonly accessToken: string;
  /**
   * A login for each user but the first, as whole HTTP requests. Logins of the first user would soon end the session of `cookie`,
   * because a user may have only so many sessions.
   */
  readonly loginRequests: readonly string[];
}

/** @param stores where it is not a SQLite file that holds everything */
export async function createWorkspace(users: number, stores: Settings = {}): Promise<Workspace> {
  const settings = {
    DATABASE_URL: `sqlite:${join(createFolder(), 'janua.db')}`,
    LOG_LEVEL: 'warn',
    THROTTLE: 'off',
    PORT: '0',
    ...stores,
  };

  const composition = await compose(loadSettings({}, settings), { migrates: true });
  const services = await composition.prepare();
  const { usernames } = inventUsers(users);
  for (const username of usernames) {
    await services.administration.add({ username, firstName: 'Ann', lastName: 'Archer', password });
  }
  const [username = ''] = usernames;
  const account = await services.users.findByUsername(username);
  const { session } = await services.logIn(
    { username, password, presented: {}, network: undefined, endSite: undefined, findKnownBrowser: () => undefined },
    { route: 'bench' },
  );
  await composition.close();
  return {
    settings,
    usernames,
    password,
    passwordHash: account?.passwordHash ?? '',
    cookie: session.cookie,
    accessToken: session.accessToken,
    loginRequests: usernames.slice(1).map((name) => loginRequest(name, password)),
  };
}
