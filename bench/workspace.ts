import { join } from 'node:path';
import { compose } from '../src/compose.ts';
import { loadSettings } from '../src/ground/config/load.ts';
import { createTemporaryFolder } from '../test/servers/process-end.ts';
import type { Ask } from './client.ts';
import { getRequest, loginRequest } from './http.ts';
import type { Settings } from './processes.ts';

export const password = 'correct horse battery staple';

export const inventUsers = (count: number) => Array.from({ length: count }, (_, index) => `user${index}@example.com`);

/** Creates a temporary folder. It is removed when the process ends. */
export const createFolder = () => createTemporaryFolder('bench').path;

/** Composes the server in this process, for work without HTTP. */
export async function withServices<Result>(
  settings: Settings,
  work: (services: Services) => Promise<Result>,
  now = Date.now,
): Promise<Result> {
  const composition = await compose(loadSettings({}, { ...settings, LOG_LEVEL: 'error' }), { migrates: true, now });
  try {
    return await work(await composition.prepare());
  } finally {
    await composition.close();
  }
}

type Services = Awaited<ReturnType<Awaited<ReturnType<typeof compose>>['prepare']>>;

/** Stores that contain users. */
export interface Workspace {
  /** Settings of a server that uses these stores. */
  readonly settings: Settings;
  /** The SQLite file of the users. */
  readonly file: string;
  readonly usernames: readonly string[];
  /** The stored hash of the first user, which a login has to compute. */
  readonly passwordHash: string;
  /** The cookie of a session of the first user. */
  readonly cookie: string;
  /** The first user's own account, by that session. */
  readonly me: Ask;
  /**
   * A login for each user but the first. Logins of the first user would soon end the session of `cookie`, because the number of a user's
   * sessions is limited.
   */
  readonly logins: readonly string[];
}

/** @param stores settings of the stores. By default, a SQLite file holds everything. */
export async function createWorkspace(users: number, stores: Settings = {}): Promise<Workspace> {
  const file = join(createFolder(), 'janua.db');
  const settings = { DATABASE_URL: `sqlite:${file}`, LOG_LEVEL: 'warn', THROTTLE: 'off', ...stores };
  const usernames = inventUsers(users);
  const [username = '', ...others] = usernames;
  return withServices(settings, async (services) => {
    for (const name of usernames)
      await services.administration.add({ username: name, firstName: 'Ann', lastName: 'Archer', password });
    const account = await services.users.findByUsername(username);
    const presented = { username, password, presented: {}, language: 'en', headers: {} } as const;
    const { session } = await services.logIn(presented, { route: 'bench' });
    return {
      ...{ settings, file, usernames, passwordHash: account?.passwordHash ?? '', cookie: session.cookie },
      me: { requests: [getRequest('/api/me', `Cookie: session=${session.cookie}`)], expected: '"username":"' },
      logins: others.map((name) => loginRequest(name, password)),
    };
  });
}
