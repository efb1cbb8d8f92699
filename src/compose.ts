import pino, { type Logger } from 'pino';
import manifest from '../package.json' with { type: 'json' };
import { originOf } from './config/origin.ts';
import type { Settings } from './config/settings.ts';
import { openDatabase } from './database/database.ts';
import { loadBrowserKey } from './database/keys.ts';
import { sql } from './database/kysely.ts';
import { migrate } from './database/migrations.ts';
import { createSqlDirectory } from './directory/sql-directory.ts';
import type { App } from './http/types.ts';
import { type Administration, createAdministration } from './identity/administration.ts';
import { createIdentity, type Identity } from './identity/identity.ts';
import { createPasswords } from './identity/password.ts';
import type { UserRegistry } from './identity/user-directory.ts';
import { createSessions, type Sessions } from './sessions/sessions.ts';
import { createSqlSessionStore } from './sessions/sql-store.ts';

/** What the commands work with. */
export interface Services {
  readonly log: Logger;
  readonly users: UserRegistry;
  readonly sessions: Sessions;
  readonly identity: Identity;
  readonly administration: Administration;
  createServer(): Promise<App>;
  close(): Promise<void>;
}

/** What the demo and tests set in place of the usual. */
export interface Overrides {
  /** Whether the demo's users may sign in. */
  readonly demoUsers?: boolean;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
  /** See `IdentityOptions`. */
  readonly failureFloor?: number;
  readonly viewsDirectory?: string;
}

/**
 * Settings in, running services out: the only place where the parts meet.
 * @throws {Misconfiguration} when the database cannot be opened
 */
export async function compose(settings: Settings, overrides: Overrides = {}): Promise<Services> {
  const log = pino({ level: settings.LOG_LEVEL, serializers: { req: requestForLog } });
  const database = openDatabase(settings.DATABASE_URL);
  await migrate(database);

  const users = createSqlDirectory(database, { demoUsers: overrides.demoUsers ?? false });
  const sessions = createSessions({
    store: createSqlSessionStore(database),
    idleTimeoutSeconds: settings.SESSION_IDLE_SECONDS,
    lifetimeSeconds: settings.SESSION_LIFETIME_SECONDS,
    ...overrides,
  });
  const passwords = createPasswords({ concurrency: settings.HASHING_CONCURRENCY, queue: settings.HASHING_QUEUE, log });
  const identity = createIdentity({ users, sessions, passwords, ...overrides });
  const administration = createAdministration({ users, sessions, passwords });

  return {
    log,
    users,
    sessions,
    identity,
    administration,
    async createServer() {
      // Loaded only where something is served: the other commands start in half the time.
      const { createServer } = await import('./http/server.ts');
      const publicOrigins = publicOriginsOf(settings);
      const server = createServer({
        identity,
        checkReadiness: async () => {
          await sql`select 1 from janua_users limit 1`.execute(database);
        },
        log,
        logRequests: log.isLevelEnabled('info'),
        appName: settings.APP_NAME,
        version: manifest.version,
        publicOrigins,
        https: settings.PUBLIC_URL?.startsWith('https:') ?? false,
        corsOrigins: new Set(settings.CORS_ORIGINS.map((origin) => originOf(origin) ?? origin)),
        key: await loadBrowserKey(database),
        docs: settings.DOCS === 'on',
        themeFile: settings.THEME_FILE,
        ...overrides,
      });
      if (settings.PUBLIC_URL === undefined) {
        // With PORT=0 the port, and with it our origin, is known only now.
        server.addHook('onListen', async () => {
          for (const address of server.addresses()) {
            if (typeof address === 'object') addLoopbackOrigins(publicOrigins, address.port);
          }
        });
      }
      return server;
    },
    close: () => database.destroy(),
  };
}

/** Where our own pages come from. Without a public URL, this machine by each of its names. */
function publicOriginsOf({ PUBLIC_URL, PORT }: Settings): Set<string> {
  const origins = new Set<string>();
  const origin = PUBLIC_URL === undefined ? undefined : originOf(PUBLIC_URL);
  if (origin === undefined) addLoopbackOrigins(origins, PORT);
  else origins.add(origin);
  return origins;
}

function addLoopbackOrigins(origins: Set<string>, port: number): void {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) origins.add(new URL(`http://${host}:${port}`).origin);
}

/** What the log says of a request: no query string, cookie or token (ASVS 14.2.1, 16.2.5). */
function requestForLog(request: { method: string; url: string; ip: string }): object {
  return { method: request.method, path: request.url.split('?', 1)[0], address: request.ip };
}
