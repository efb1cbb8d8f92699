import pino from 'pino';
import type { Services } from '../../src/compose.ts';
import type { Access } from '../../src/core/access/access.ts';
import { createKnownBrowsers } from '../../src/core/access/known-browsers.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { createServer, type ServerOptions } from '../../src/server.ts';
import { capabilities, events, type SiteOptions } from '../../src/site.ts';
import { browserCookie } from '../../src/web/cookies.ts';
import type { App } from '../../src/web/types.ts';
import { type Client, createClient } from '../client.ts';

export interface TestServer extends AsyncDisposable, Client {
  readonly app: App;
  /** The logged lines. */
  readonly log: string[];
}

/** Fails the test when it is called. */
const unexpected = async (): Promise<never> => {
  throw new TypeError('the test did not expect this call');
};

/** A test's replacements for the parts behind HTTP. */
export type FakeParts = Partial<Access> & Partial<Pick<Services, 'logIn' | 'logOut'>>;

/** The HTTP layer alone, with the test's own parts, for outcomes that are hard to cause. */
export async function startServer(
  options: Partial<Omit<ServerOptions, 'parts'>> & {
    parts?: FakeParts;
    addRoutes?: (app: App) => void;
  } = {},
): Promise<TestServer> {
  const { parts, addRoutes, ...rest } = options;
  const log: string[] = [];
  const app = createServer({
    ...siteOptions(parts),
    log: pino({ level: 'info' }, { write: (line: string) => log.push(line) }),
    logsRequests: () => true,
    ...rest,
  });
  addRoutes?.(app);
  await app.ready();
  return { ...createClient(app), app, log, [Symbol.asyncDispose]: () => app.close() };
}

/** The options of the flow, with the test's own parts. */
export function siteOptions({ logIn = unexpected, logOut = unexpected, ...access }: FakeParts = {}): SiteOptions {
  const parts = {
    access: {
      findSignedIn: async () => undefined,
      requireSignedIn: unexpected,
      findPresentedSessions: unexpected,
      ...access,
    },
    audit: {
      record: async () => {},
      requireAllowance: () => {},
      recordIn: async () => {},
      recordIfPossible: async () => {},
      digestName: () => '',
    },
    logIn,
    logOut,
    knownBrowsers: createKnownBrowsers(browserCookie(false), Buffer.alloc(32, 1)),
    hosts: undefined,
    ports: { listOpen: async () => [], isPasskeyOffered: async () => false },
  };
  const others = { get: (known: object, name: string) => (name in known ? Reflect.get(known, name) : unexpected) };
  return {
    parts: () => new Proxy(parts, others) as unknown as Services,
    isTrustedPeer: () => false,
    findClient: (peer) => ({ address: peer, from: 'connection' }),
    findUnavailable: async () => [],
    measures: {},
    appName: 'Janua',
    language: 'en',
    version: '0.0.0',
    publicOrigins: new Set(['http://localhost:5000', 'http://127.0.0.1:5000']),
    https: false,
    capabilities,
    settings: loadSettings({}, {}),
    events,
    corsOrigins: new Set(),
    findApplication: async () => undefined,
    docs: true,
    applicationScopes: [],
    features: {
      mail: true,
      mailbox: false,
      signUp: true,
      password: true,
      ownAccounts: true,
      ownHandles: true,
      secondFactor: true,
      passkeyDomain: undefined,
      passkeyApps: [],
      upstreams: [],
    },
  };
}
