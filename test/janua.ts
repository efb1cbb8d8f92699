import Fastify from 'fastify';
import type { LoginAttempt } from '../src/capabilities/sign-in/log-in.ts';
import { type Composition, type Overrides, compose as ownCompose, type Services } from '../src/compose.ts';
import type { Caller } from '../src/core/audit/event.ts';
import { loadSettings } from '../src/ground/config/load.ts';
import type { Settings } from '../src/ground/config/settings.ts';
import type { App } from '../src/web/types.ts';
import './cheap-keys.ts';
import { hashingThreads } from './cheap-hashes/threads.ts';
import { createTeamProgram, type People, peopleBy } from './people.ts';
import { openStores, type StoreChoice, storeTimeoutSeconds } from './stores.ts';

export const password = 'correct horse battery';

export const ann = { username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer' };

/** A plain login. */
export const attempt = (username: string, password: string): LoginAttempt => ({
  username,
  password,
  presented: {},
  language: 'en',
  headers: {},
});

/** Any caller, for tests that do not look at it. */
export const caller: Caller = { route: 'a test' };

/** A server with its own empty stores, in this process, with one user: Ann. */
export interface TestJanua extends AsyncDisposable {
  readonly app: App;
  readonly services: Services;
  readonly people: People;
  readonly databaseUrl: string;
  /** The text that Prometheus reads, if `METRICS_LISTEN` is set. */
  readMetrics(): Promise<string>;
  /** Closes the stores under the running server. */
  closeStores(): Promise<void>;
}

export interface TestOptions {
  readonly settings?: Partial<Settings>;
  readonly overrides?: Overrides;
  /** Another copy of `compose`, as from a changed tree. */
  readonly compose?: typeof ownCompose;
  /** SQLite in memory by default. */
  readonly stores?: StoreChoice;
}

export async function startJanua({
  settings = {},
  overrides = {},
  compose = ownCompose,
  stores = { users: 'SQLite', sessions: 'SQL' },
}: TestOptions = {}): Promise<TestJanua> {
  const opened = await openStores(stores);
  const team = stores.ownTable ? await createTeamProgram(opened.settings.DATABASE_URL, stores) : undefined;
  const effective = {
    ...loadSettings({}, {}),
    LOG_LEVEL: 'silent' as const,
    // A test sends more wrong passwords than the throttle allows. Tests of the throttle turn it on.
    THROTTLE: 'off' as const,
    // Tests of these mails turn them on.
    LOGIN_NOTICES: 'off' as const,
    STORE_TIMEOUT_SECONDS: storeTimeoutSeconds,
    // Tests of the sync run it themselves.
    USERS_SYNC_HOURS: 0,
    ...opened.settings,
    ...team?.settings,
    ...settings,
  };
  const composition = await compose(effective, {
    failureFloor: 0,
    migrates: true,
    demoMailbox: true,
    ...(settings.HASHING_CONCURRENCY === undefined && { hashingThreads }),
    ...overrides,
  });
  const services = await composition.prepare();
  const people = team?.people ?? peopleBy(services.administration);
  await people.add({ ...ann, password });
  const app = stores.mounted ? await mount(composition) : await composition.createServer();
  await app.ready();
  return {
    app,
    services,
    people,
    databaseUrl: effective.DATABASE_URL,
    async readMetrics() {
      await using listener = await composition.listenForMetrics();
      return (await fetch(listener?.url ?? '')).text();
    },
    closeStores: () => composition.close(),
    async [Symbol.asyncDispose]() {
      await app.close();
      if (!stores.mounted) await composition.close();
      await team?.[Symbol.asyncDispose]();
      await opened.drop();
    },
  };
}

async function mount(composition: Composition): Promise<App> {
  const app: App = Fastify();
  await app.register(await composition.createPlugin(() => composition.close()));
  return app;
}
