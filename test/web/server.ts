import pino from 'pino';
import type { Access } from '../../src/access/access.ts';
import { createReturns } from '../../src/forward-auth/returns.ts';
import { createServer, type ServerOptions } from '../../src/server.ts';
import { createKnownBrowsers } from '../../src/sign-in/known-browsers.ts';
import type { Parts, SiteOptions } from '../../src/site.ts';
import type { App } from '../../src/web/types.ts';

export interface TestServer extends AsyncDisposable {
  readonly app: App;
  /** The logged lines. */
  readonly log: string[];
}

/** Fails the test when it is called. */
const unexpected = async (): Promise<never> => {
  throw new TypeError('the test did not expect this call');
};

/** A test's replacements for the parts behind HTTP. */
export type FakeParts = Partial<Access> & Partial<Pick<Parts, 'logIn' | 'logOut'>>;

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
  return { app, log, [Symbol.asyncDispose]: () => app.close() };
}

/** No test here manages factors. */
const unusedFactors = {
  list: unexpected,
  beginTotp: unexpected,
  enableTotp: unexpected,
  removeTotp: unexpected,
  passkeyOptions: unexpected,
  addPasskey: unexpected,
  removePasskey: unexpected,
  renamePasskey: unexpected,
  renewRecoveryCodes: unexpected,
  endTrust: unexpected,
  enrol: unexpected,
  removeAll: unexpected,
};

/** The options of the flow, with the test's own parts. */
export function siteOptions({ logIn = unexpected, logOut = unexpected, ...access }: FakeParts = {}): SiteOptions {
  return {
    parts: () => ({
      access: {
        findSignedIn: async () => undefined,
        requireSignedIn: unexpected,
        findPresentedSessions: unexpected,
        ...access,
      },
      audit: { record: async () => {}, recordIfPossible: async () => {}, digestName: () => '' },
      logIn,
      logOut,
      confirm: { methodsOf: unexpected, confirm: unexpected },
      factors: { ownerOf: () => ({ userId: '', username: '' }) },
      secondFactor: { open: unexpected, abandon: unexpected, finish: unexpected },
      manageFactors: unusedFactors,
      enrolment: { demand: unexpected, open: unexpected, begin: unexpected, finish: unexpected },
      passkeys: undefined,
      logInByPasskey: undefined,
      knownBrowsers: createKnownBrowsers(false, Buffer.alloc(32, 1)),
      registry: undefined,
      sessions: { listOf: unexpected },
      signUp: undefined,
      resetPassword: undefined,
      changeEmail: undefined,
      deleteAccount: undefined,
      ownSessions: { list: unexpected, end: unexpected, endOthers: unexpected },
      changePassword: unexpected,
      exportAccount: unexpected,
      requireFresh: unexpected,
      requireStepUp: unexpected,
      hosts: undefined,
    }),
    isTrustedPeer: () => false,
    findClient: (peer) => ({ address: peer, from: 'connection' }),
    findUnavailable: async () => [],
    measures: {},
    appName: 'Janua',
    language: 'en',
    version: '0.0.0',
    publicOrigins: new Set(['http://localhost:5000', 'http://127.0.0.1:5000']),
    https: false,
    trustedBrowserDays: 30,
    corsOrigins: new Set(),
    forwardOrigins: new Set(),
    returns: createReturns(new Set(), () => undefined),
    nameApplication: () => undefined,
    docs: true,
    features: {
      mail: true,
      mailbox: false,
      signUp: true,
      password: true,
      ownAccounts: true,
      secondFactor: true,
      passkeyDomain: undefined,
    },
  };
}
