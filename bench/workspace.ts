import { join } from 'node:path';
import { compose } from '../src/compose.ts';
import { loadSettings } from '../src/ground/config/load.ts';
import { createTemporaryFolder } from '../test/servers/process-end.ts';
import type { Settings } from './processes/parent.ts';
import { loginRequest } from './requests.ts';

const password = 'correct horse battery staple';

/** Users who can log in, all with the same password. */
export interface Users {
  readonly usernames: readonly string[];
  readonly password: string;
}

export const inventUsers = (count: number): Users => {
  return { usernames: Array.from({ length: count }, (_, index) => `user${index}@example.com`), password };
};

/** Creates a temporary folder. It is removed when the process ends. */
export const createFolder = () => createTemporaryFolder('bench').path;

/** Stores that contain users. */
export interface Workspace extends Users {
  /** Settings of a server that uses these stores. */
  readonly settings: Settings;
  /** The stored hash of the first user, which a login has to compute. */
  readonly passwordHash: string;
  /** The cookie of a session of the first user. */
  readonly cookie: string;
  readonly accessToken: string;
  /**
   * A login for each user but the first, as whole HTTP requests. Logins of the first user would soon end the session of `cookie`,
   * because the number of a user's sessions is limited.
   */
  readonly loginRequests: readonly string[];
}

/** @param stores settings of the stores. By default, a SQLite file holds everything. */
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
    { username, password, presented: {}, language: 'en', headers: {} },
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
