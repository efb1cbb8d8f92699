import pino from 'pino';
import type { Identity } from '../../src/access/identity.ts';
import { createServer, type ServerOptions } from '../../src/server.ts';
import type { FlowOptions } from '../../src/web/flow.ts';
import type { App } from '../../src/web/types.ts';

export interface TestServer extends AsyncDisposable {
  readonly app: App;
  /** The lines that were logged. */
  readonly log: string[];
}

/** An identity that a test has no use for: whatever is called, fails the test. */
const unexpected = async (): Promise<never> => {
  throw new TypeError('the test did not expect this call');
};

/** The HTTP layer alone, with an identity of the test's own making: for outcomes that are hard to bring about. */
export async function startServer(
  options: Partial<Omit<ServerOptions, 'identity'>> & {
    identity?: Partial<Identity>;
    addRoutes?: (app: App) => void;
  } = {},
): Promise<TestServer> {
  const { identity, addRoutes, ...rest } = options;
  const log: string[] = [];
  const app = createServer({
    ...flowOptions(identity),
    log: pino({ level: 'info' }, { write: (line: string) => log.push(line) }),
    logsRequests: () => true,
    ...rest,
  });
  addRoutes?.(app);
  await app.ready();
  return { app, log, [Symbol.asyncDispose]: () => app.close() };
}

/** What the flow is made of, with an identity of the test's own making. */
export function flowOptions(identity: Partial<Identity> = {}): FlowOptions {
  return {
    audit: { record: async () => {} },
    isTrustedPeer: () => false,
    findClient: (peer) => ({ address: peer, network: peer, endSite: peer, from: 'connection' }),
    findUnavailable: async () => [],
    measures: {},
    appName: 'Janua',
    version: '0.0.0',
    publicOrigins: new Set(['http://localhost:5000', 'http://127.0.0.1:5000']),
    https: false,
    corsOrigins: new Set(),
    forwardOrigins: new Set(),
    hostKey: () => undefined,
    browserKey: () => Buffer.alloc(32, 1),
    docs: true,
    identity: {
      logIn: unexpected,
      logOut: unexpected,
      findUser: async () => undefined,
      requireUser: unexpected,
      createTicket: unexpected,
      redeemTicket: unexpected,
      ...identity,
    },
  };
}
