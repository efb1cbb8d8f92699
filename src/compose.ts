import cluster from 'node:cluster';
import manifest from '../package.json' with { type: 'json' };
import { type Capability, findFeatures, type StartOptions } from './capabilities/capability.ts';
import { type CoreOverrides, createCore } from './core/core.ts';
import { joinPorts, type Ports } from './core/ports.ts';
import { createReadiness } from './core/stores/readiness.ts';
import { refusedAccount } from './core/stores/store-faults.ts';
import { openStores, type Stores } from './core/stores/stores.ts';
import { startCleaning } from './core/stores/upkeep.ts';
import { createLog } from './core/telemetry/log.ts';
import { openMeasures } from './core/telemetry/measures.ts';
import { inGroupsTransaction } from './core/users/groups.ts';
import { parseMapping } from './core/users/source/mapping.ts';
import type { CheckUp } from './doctor/check-up.ts';
import { parseListenAddress } from './ground/config/listen-address.ts';
import {
  addLoopbackOrigins,
  answersProxiesAlone,
  isHttps,
  isLoopbackHost,
  originsOf,
  publicOriginsOf,
} from './ground/config/origin.ts';
import type { Settings } from './ground/config/settings.ts';
import type { TraceSettings } from './ground/config/traces.ts';
import { readUpstreams } from './ground/config/upstreams-file.ts';
import { databasePart } from './ground/database/errors.ts';
import { migrate, requireTables, requireUsableSchema } from './ground/database/migrations.ts';
import { Misconfiguration } from './ground/faults/misconfiguration.ts';
import { Unavailable } from './ground/faults/unavailable.ts';
import { capabilities as allCapabilities, events, type Services, type SiteOptions } from './site.ts';
import { createTrustedProxies } from './web/client-address.ts';
import { browserCookie } from './web/cookies.ts';
import { rawPath } from './web/request-target.ts';
import type { Request } from './web/types.ts';

export type Composition = Awaited<ReturnType<typeof compose>>;

export type { Services } from './site.ts';

/** Milliseconds that a stop waits for a sync with a team's own table, and for an invitation that is being queued. */
const closingMilliseconds = 2000;

/** Options of the demo, the commands and the tests. */
export interface Overrides extends CoreOverrides {
  /** Whether `prepare` brings our own tables up to date. */
  readonly migrates?: boolean;
  /** Whether a mailbox stores mails if no mail server is set. `/demo/mail` shows them. */
  readonly demoMailbox?: boolean;
  readonly traces?: TraceSettings | undefined;
  readonly capabilities?: readonly Capability[];
}

/**
 * Turns settings into running services. Only this function knows all parts. It sends nothing to a store: `prepare` does.
 * @throws {Misconfiguration} when a store's address cannot be read, or a database file cannot be opened
 */
export async function compose(settings: Settings, overrides: Overrides = {}) {
  const { findClient, isTrustedPeer, noteListening } = createTrustedProxies(settings.TRUSTED_PROXIES);
  // The log omits host, query string, fragment, cookies and tokens (ASVS 14.2.1, 16.2.5). This function reads only fields of Fastify's
  // plain request, because a request whose path cannot be decoded has no others.
  const log = createLog(settings, ({ method, url, socket, headers }: Request) => ({
    method,
    path: rawPath(url),
    address: findClient(socket.remoteAddress, headers['x-forwarded-for']?.toString()).address,
  }));
  const measures = await openMeasures({
    metrics: settings.METRICS_LISTEN !== undefined && (overrides.takesLogins ?? true),
    kinds: { events: Object.keys(events), refusals: Object.keys(events['application-refused']?.reasons ?? {}) },
    traces: overrides.traces,
    version: manifest.version,
    log,
  });
  const mapping = parseMapping(settings.USERS_TABLE, settings.USERS_COLUMNS);
  const mailbox = overrides.demoMailbox === true && settings.MAIL_URL === undefined;
  const given: StartOptions = {
    settings,
    upstreams: readUpstreams(settings.UPSTREAMS_FILE),
    ownAccounts: mapping === undefined,
    mail: mailbox || settings.MAIL_URL !== undefined,
    mailbox,
  };
  const listed = overrides.capabilities ?? allCapabilities;
  const features = findFeatures(listed, given);
  if (settings.SECOND_FACTOR === 'required' && !features.secondFactor)
    throw new Misconfiguration('SECOND_FACTOR=required: this server has no second factors.');
  const capabilities = listed.filter((capability) => capability.isEnabled?.(features) ?? true);
  const stores = await openStores(settings, { log, measures, mustExist: !overrides.migrates, now: overrides.now });
  const publicOrigins = publicOriginsOf(settings);
  const offered: Ports[] = [];
  const ports = joinPorts(offered);

  /** Our address in the links of mails. It is configured, and never taken from a request. */
  function baseUrl(): string {
    const [origin] = publicOrigins;
    if (origin === undefined)
      throw new Misconfiguration(
        'PUBLIC_URL must be set to make a link before the app listens: the link needs an address.',
      );
    return origin;
  }

  async function makeServices(used: Stores = stores): Promise<Services> {
    const { opened } = used;
    if (overrides.migrates) await migrate(opened);
    else await requireUsableSchema(opened);
    const tables = { users: given.ownAccounts, sessions: settings.REDIS_URL === undefined };
    await requireTables(opened.database, tables);
    await used.sessions.check();
    let checkUp: CheckUp | undefined;
    const core = await createCore({
      settings,
      overrides,
      log,
      measures,
      stores: used,
      mapping,
      events,
      ports,
      mailWorks: given.mail,
      browserCookie: browserCookie(isHttps(settings)),
      publicOrigins,
      baseUrl,
      // Loaded only if needed.
      async checkUp() {
        checkUp ??= (await import('./doctor/check-up.ts')).createCheckUp(settings, stores);
        return checkUp();
      },
    });
    // An earlier attempt may have failed after it made some capabilities. These are closed.
    await ports.close();
    offered.length = 0;
    const made: object[] = [];
    for (const capability of capabilities) {
      const { parts, ...own } = (await capability.make?.(core, given)) ?? { parts: {} };
      offered.push(own);
      Object.assign(core.mails, own.mails);
      made.push(parts);
    }
    return Object.assign({}, core, ...made);
  }

  let preparing: Promise<Services> | undefined;
  let prepared: Services | undefined;
  let cleaning: NodeJS.Timeout | undefined;
  /** The error that requests get until `prepared` is set. */
  let fault: unknown = new Unavailable(databasePart, 5);
  let isListening = false;
  /** Whether other machines can reach the app although PUBLIC_URL is not set. */
  let exposed = false;
  function requireServices(): Services {
    if (prepared === undefined) throw fault;
    if (exposed) throw new Unavailable('Signing in', 60);
    return prepared;
  }
  const readiness = createReadiness([
    [databasePart, stores.opened.check],
    [stores.sessionsPart, stores.sessions.check],
    [databasePart, () => requireServices().users.check()],
  ]);

  function startUpkeep({ compareClocks, clean }: Services): NodeJS.Timeout {
    void compareClocks();
    return startCleaning(async () => {
      await compareClocks();
      await clean();
    }, log);
  }

  /** Starts the background work once the origin of Janua is known. If the system chooses the port, that is after the server listens. */
  function startWork(): void {
    if (publicOrigins.size === 0 || overrides.takesLogins === false) return;
    prepared?.mail?.start();
    prepared?.userSync?.start();
    prepared?.importInvitations?.start();
    if (isListening && prepared !== undefined) ports.start();
  }

  function onListen(addresses: Parameters<NonNullable<SiteOptions['onListen']>>[0]): void {
    noteListening(addresses, log);
    isListening = true;
    const reached = settings.PUBLIC_URL === undefined ? addresses.filter((address) => typeof address === 'object') : [];
    // If the system chooses the port, or Janua is a plugin of another app, Janua's origin is known only now.
    for (const { port } of reached) addLoopbackOrigins(publicOrigins, port);
    startWork();
    if (reached.every(({ address }) => isLoopbackHost(address))) return;
    // This happens only in another app, because `janua serve` refuses such settings at start.
    exposed = true;
    log.error('users cannot sign in: PUBLIC_URL must be set when other machines can reach the app');
  }

  const siteOptions = (): SiteOptions => ({
    capabilities,
    parts: requireServices,
    settings,
    events,
    features,
    findClient,
    isTrustedPeer,
    findUnavailable: readiness.findUnavailable,
    measures,
    appName: settings.APP_NAME,
    language: settings.LANGUAGE,
    version: manifest.version,
    publicOrigins,
    // The demo's mailbox has no login, so pages of other sites must not read it (DNS rebinding).
    isOwnHost: overrides.demoUsers ? isLoopbackHost : undefined,
    https: isHttps(settings),
    corsOrigins: originsOf(settings.CORS_ORIGINS),
    findApplication: ports.findApplication,
    onListen,
    docs: settings.DOCS === 'on',
    applicationScopes: settings.SCOPES,
    themeFile: settings.THEME_FILE,
  });

  return {
    log,
    readiness,
    /**
     * Checks the stores, and makes the services. May be called again after a failure.
     * @throws {Misconfiguration} when the schema is not this version's, or a team's own table of users cannot be used
     * @throws {Unavailable} while a store cannot be reached
     */
    async prepare(): Promise<Services> {
      try {
        preparing ??= makeServices();
        prepared = await preparing;
        if (overrides.takesLogins !== false) cleaning ??= startUpkeep(prepared);
        startWork();
        return prepared;
      } catch (error) {
        preparing = undefined;
        fault = error;
        throw refusedAccount(error) ?? error;
      }
    },
    requireServices,
    /**
     * Runs work whose changes are all made, or none. The services that it gets read and write in one transaction, which holds the lock of
     * all groups. For a command: these services replace those of `prepare`, and end with the transaction.
     * @param work may run more than once. It uses no other services
     */
    inOneTransaction: <Result>(work: (services: Services) => Promise<Result>): Promise<Result> =>
      inGroupsTransaction(stores.opened.database, async (db) => work(await makeServices(stores.within(db)))),
    async createServer() {
      // Loaded only if needed: the other commands then start in half the time.
      const { createServer } = await import('./server.ts');
      return createServer({
        ...siteOptions(),
        isOwnPeer: answersProxiesAlone(settings) ? isTrustedPeer : undefined,
        log,
        logsRequests: () => log.isLevelEnabled('info'),
      });
    },
    async createPlugin(onClose: () => Promise<void>) {
      const { createPlugin } = await import('./plugin.ts');
      return createPlugin(siteOptions(), onClose);
    },
    /**
     * Serves the metrics at `METRICS_LISTEN`. Returns undefined without that setting, and in a worker of a cluster: there the
     * primary collects the metrics of all workers (`createClusterReader`).
     * @throws {Misconfiguration} when the address cannot be listened on
     */
    async listenForMetrics() {
      const address = parseListenAddress(settings.METRICS_LISTEN ?? '');
      if (measures.metrics === undefined || address === undefined || cluster.isWorker) return undefined;
      const { listenForMetrics } = await import('./core/telemetry/metrics-listener.ts');
      const listener = await listenForMetrics(address, measures.metrics.read);
      log.info({ url: listener.url }, 'figures for Prometheus');
      return listener;
    },
    async close(): Promise<void> {
      clearInterval(cleaning);
      await prepared?.importInvitations?.close(closingMilliseconds);
      await Promise.all([prepared?.mail?.close(), prepared?.userSync?.close(closingMilliseconds), ports.close()]);
      await prepared?.audit.close();
      await Promise.all([stores.close(), measures.close()]);
    },
  };
}
