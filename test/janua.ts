import assert from 'node:assert/strict';
import Fastify from 'fastify';
import type { LoginAttempt } from '../src/capabilities/sign-in/log-in.ts';
import { type Composition, type Overrides, compose as ownCompose, type Services } from '../src/compose.ts';
import type { Caller, RecordedEvent } from '../src/core/audit/event.ts';
import type { AuditFilter } from '../src/core/audit/sql-store.ts';
import type { KeptMail } from '../src/core/mail/outbox.ts';
import type { Account } from '../src/core/users/account.ts';
import { loadSettings } from '../src/ground/config/load.ts';
import type { Settings } from '../src/ground/config/settings.ts';
import type { App } from '../src/web/types.ts';
import './cheap-keys.ts';
import { hashingThreads } from './cheap-hashes/threads.ts';
import {
  type Client,
  type CookieClient,
  createClient,
  createCookieClient,
  type SentHeaders,
  type SignedIn,
  signedInBy,
} from './client.ts';
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
export interface TestJanua extends AsyncDisposable, Client {
  readonly app: App;
  readonly services: Services;
  readonly people: People;
  readonly databaseUrl: string;
  /** Milliseconds since 1970, by the clock of the server. */
  now(): number;
  /** Moves that clock on. */
  pass(milliseconds: number): void;
  /** Starts a session. @param username Ann by default */
  logIn(username?: string, secret?: string): Promise<SignedIn>;
  /** Whether the credentials belong to a living session. */
  isSignedIn(headers: SentHeaders): Promise<boolean>;
  /** A browser without a screen. @param jar its first cookies */
  browser(jar?: Record<string, string>): CookieClient;
  /** The account as it is stored now. @param username Ann by default */
  account(username?: string): Promise<Account>;
  /** The recorded events, the oldest first. */
  events(filter?: Partial<AuditFilter>): Promise<RecordedEvent[]>;
  /** Their kinds that match, each with its reason. */
  kinds(pattern: RegExp): Promise<string[]>;
  /** The mails that were sent, the newest first. @param address of one recipient */
  mails(address?: string): Promise<KeptMail[]>;
  /** The token of the link in the newest mail to an address. */
  tokenTo(address: string): Promise<string>;
  /** Listens on a free port. Gives the origin. */
  listen(): Promise<string>;
  /** The text that Prometheus reads, if `METRICS_LISTEN` is set. */
  readMetrics(): Promise<string>;
  /** Closes the stores under the running server. */
  closeStores(): Promise<void>;
}

export interface TestOptions {
  readonly settings?: Partial<Settings> | undefined;
  readonly overrides?: Overrides | undefined;
  /** Another copy of `compose`, as from a changed tree. */
  readonly compose?: typeof ownCompose;
  /** Where its clock stands until the test moves it. Without it the clock runs. */
  readonly time?: number | undefined;
  /** Adds routes of the test. */
  readonly addRoutes?: (app: App) => void;
  /** SQLite in memory by default. */
  readonly stores?: StoreChoice | undefined;
  /** Whether the database of the settings has Ann already. */
  readonly isFilled?: boolean;
}

export async function startJanua({
  settings = {},
  overrides = {},
  compose = ownCompose,
  stores = { users: 'SQLite', sessions: 'SQL' },
  time,
  addRoutes,
  isFilled = false,
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
  let shift = 0;
  const now = overrides.now ?? (() => (time ?? Date.now()) + shift);
  const composition = await compose(effective, {
    now,
    failureFloor: 0,
    migrates: true,
    demoMailbox: true,
    ...(settings.HASHING_CONCURRENCY === undefined && { hashingThreads }),
    ...overrides,
  });
  const services = await composition.prepare();
  const people = team?.people ?? peopleBy(services.administration);
  if (!isFilled) await people.add({ ...ann, password });
  const app = stores.mounted ? await mount(composition) : await composition.createServer();
  addRoutes?.(app);
  await app.ready();
  const client = createClient(app);
  async function events(filter?: Partial<AuditFilter>): Promise<RecordedEvent[]> {
    const found = await Array.fromAsync(services.auditTrail.find({ order: 'oldest-first', ...filter }));
    return found.map((event) => ('kind' in event ? event : assert.fail('an event cannot be read')));
  }
  async function mails(address?: string): Promise<KeptMail[]> {
    await services.mail?.settled();
    return (await services.outbox.listKept(500)).filter(({ to }) => address === undefined || to === address);
  }
  return {
    ...client,
    app,
    now,
    pass(milliseconds) {
      shift += milliseconds;
    },
    logIn: async (username = ann.username, secret = password) =>
      signedInBy(await client.post('/api/login', { username, password: secret })),
    async isSignedIn(headers) {
      const { statusCode } = await client.get('/api/me', headers);
      if (statusCode !== 200 && statusCode !== 401) throw new Error(`unexpected status ${statusCode}`);
      return statusCode === 200;
    },
    browser: (jar) => createCookieClient(client, jar),
    account: async (username = ann.username) =>
      (await services.users.findByUsername(username)) ?? assert.fail(`no account of ${username}`),
    events,
    kinds: async (pattern) =>
      (await events())
        .filter(({ kind }) => pattern.test(kind))
        .map(({ kind, reason }) => (reason === undefined ? kind : `${kind}: ${reason}`)),
    mails,
    async tokenTo(address) {
      const [mail] = await mails(address);
      return /token=([\w-]{43})/.exec(mail?.text ?? '')?.[1] ?? assert.fail(`no link to ${address}`);
    },
    listen: async () => (await app.listen({ port: 0, host: '127.0.0.1' })).replace('127.0.0.1', 'localhost'),
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
