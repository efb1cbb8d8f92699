import cluster from 'node:cluster';
import type { Logger } from 'pino';
import manifest from '../package.json' with { type: 'json' };
import { createAccess } from './access/access.ts';
import { createAdmit } from './access/admit.ts';
import { type LookUp, lookUpTwice } from './access/look-up.ts';
import { createSqlLookUp } from './access/sql-look-up.ts';
import { createAudit, type OpenAudit } from './audit/audit.ts';
import type { Caller } from './audit/event.ts';
import { type AuditStore, createSqlAuditStore } from './audit/sql-store.ts';
import { parseListenAddress } from './config/listen-address.ts';
import { isLoopbackHost } from './config/origin.ts';
import { addLoopbackOrigins, originsOf, publicOriginsOf } from './config/public-origins.ts';
import type { Settings } from './config/settings.ts';
import type { TraceSettings } from './config/traces.ts';
import { databasePart } from './database/errors.ts';
import { type KeyName, loadKey, replaceKey } from './database/keys.ts';
import { claimLease } from './database/lease.ts';
import { migrate, requireCurrentSchema } from './database/migrations.ts';
import { requireTables } from './database/schema-check.ts';
import { lineOf } from './faults/misconfiguration.ts';
import { Unavailable } from './faults/unavailable.ts';
import { createHostCredentials } from './forward-auth/host-credentials.ts';
import { createNameApplication } from './forward-auth/returns.ts';
import { createPasswords } from './passwords/passwords.ts';
import { createSessions, type Sessions } from './sessions/sessions.ts';
import { createLogIn } from './sign-in/log-in.ts';
import { createLogOut } from './sign-in/log-out.ts';
import { liftFailures } from './sign-in/password-attempts.ts';
import { type EventKind, events, type Parts, type SiteOptions } from './site.ts';
import { createReadiness, type Readiness } from './stores/readiness.ts';
import { refusedAccount } from './stores/store-faults.ts';
import { openStores, type Stores } from './stores/stores.ts';
import { cleaningInterval, removeInBatches } from './stores/upkeep.ts';
import { createLog } from './telemetry/log.ts';
import { type Measures, openMeasures } from './telemetry/measures.ts';
import type { MetricsListener } from './telemetry/metrics-listener.ts';
import { createNetworkCheck, unixSockets } from './text/networks.ts';
import { createThrottle, type Throttle, unthrottled } from './throttle/throttle.ts';
import { type Administration, createAdministration } from './users/administration.ts';
import { openMappedDirectory, samplePasswordHashes } from './users/mapped/mapped-directory.ts';
import { parseMapping, type UserMapping } from './users/mapped/mapping.ts';
import { createSqlDirectory } from './users/sql-directory.ts';
import type { User } from './users/user.ts';
import type { UserDirectory, UserRegistry } from './users/user-directory.ts';
import { createFindClient, createPeerCheck, type FindClient } from './web/client-address.ts';
import type { JanuaPlugin } from './web/host-app.ts';
import { rawPath } from './web/request-target.ts';
import type { App, Request } from './web/types.ts';

const day = 24 * 60 * 60 * 1000;

/** The connected parts. No store has been asked for anything yet. */
export interface Composition {
  readonly log: Logger;
  readonly readiness: Readiness;
  /**
   * Checks the stores, and returns what the commands work with. May be called again after a failure.
   * @throws {Misconfiguration} when the schema is not this version's, or the table of users cannot work
   * @throws {Unavailable} while a store cannot be reached
   */
  prepare(): Promise<Services>;
  /**
   * Returns what `prepare` returned.
   * @throws the last error of `prepare`, or {Unavailable} before it was called
   */
  requireServices(): Services;
  /** The HTTP server. It answers 503 until `prepare` has succeeded once. */
  createServer(): Promise<App>;
  /** Janua as a part of another app. @param onClose runs when that app closes */
  createPlugin(onClose: () => Promise<void>): Promise<JanuaPlugin>;
  /**
   * Serves the metrics at `METRICS_LISTEN`. Returns undefined without that setting, and in a worker of a cluster: there the
   * primary collects the metrics of all workers (`createClusterReader`).
   * @throws {Misconfiguration} when the address cannot be listened on
   */
  listenForMetrics(): Promise<MetricsListener | undefined>;
  close(): Promise<void>;
}

/** What the commands and the routes work with. */
export interface Services extends Parts {
  readonly users: UserDirectory;
  /** The same directory, if this server may change it. */
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly administration: Administration;
  readonly throttle: Throttle;
  readonly audit: OpenAudit<EventKind>;
  /** The recorded events. */
  readonly auditTrail: Pick<AuditStore, 'find' | 'findByRequestId'>;
  /** Replaces a key with a new one. This process keeps the old one. */
  replaceKey(name: KeyName): Promise<void>;
  /** Removes expired data, unless another process has just done it. */
  clean(): Promise<void>;
}

/** What the demo, the commands and the tests override. */
export interface Overrides {
  /** Whether the demo's users may sign in. */
  readonly demoUsers?: boolean;
  /** Whether `prepare` brings our own tables up to date. */
  readonly migrates?: boolean;
  /** Whether users log in here. If so, `prepare` measures how long their password hashes take. Commands need not wait for that. */
  readonly takesLogins?: boolean;
  /** Who makes the changes, for the audit. */
  readonly caller?: Caller;
  /** Set if traces are exported. */
  readonly traces?: TraceSettings | undefined;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
  /** See `LogInOptions`. */
  readonly failureFloor?: number;
}

/**
 * Turns settings into running services. The parts meet only here.
 * @throws {Misconfiguration} when a store's address cannot be read, or a database file cannot be opened
 */
export async function compose(settings: Settings, overrides: Overrides = {}): Promise<Composition> {
  /** Whether the app listens on Unix sockets only. A peer without an address is then on one of them. */
  let onSocketsAlone = false;
  const namesSockets = settings.TRUSTED_PROXIES.includes(unixSockets);
  const proxies = {
    isTrusted: createNetworkCheck(settings.TRUSTED_PROXIES),
    trustsSockets: () => onSocketsAlone && namesSockets,
  };
  const findClient = createFindClient(proxies);
  const log = createLog(settings, describeRequest(findClient));
  const measures = await openMeasures({
    metrics: settings.METRICS_LISTEN !== undefined && (overrides.takesLogins ?? true),
    eventKinds: Object.keys(events),
    traces: overrides.traces,
    version: manifest.version,
    log,
  });
  const mapping = parseMapping(settings.USERS_TABLE, settings.USERS_COLUMNS);
  const stores = await openStores(settings, { log, measures, mustExist: !overrides.migrates });

  let prepared: Services | undefined;
  /** Why `prepared` is not set yet. Requests get this error meanwhile. */
  let fault: unknown = new Unavailable(databasePart, 5);
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

  const publicOrigins = publicOriginsOf(settings);
  const forwardOrigins = originsOf(settings.FORWARD_AUTH_ORIGINS);
  const siteOptions = (): SiteOptions => ({
    parts: requireServices,
    findClient,
    isTrustedPeer: createPeerCheck(proxies),
    findUnavailable: () => readiness.findUnavailable(),
    measures,
    appName: settings.APP_NAME,
    version: manifest.version,
    publicOrigins,
    https: settings.PUBLIC_URL?.startsWith('https:') ?? false,
    corsOrigins: originsOf(settings.CORS_ORIGINS),
    forwardOrigins,
    nameApplication: createNameApplication({ key: () => requireServices().hostKey, forwardOrigins }),
    onListen(addresses) {
      const ports = addresses.filter((address) => typeof address === 'object');
      onSocketsAlone = ports.length === 0;
      const onSockets = ports.length < addresses.length;
      if (onSockets || namesSockets) {
        const sockets = socketAdvice({ named: namesSockets, onSockets, alone: onSocketsAlone });
        log[sockets.level]({ event: 'unix_socket' }, sockets.message);
      }
      if (settings.PUBLIC_URL !== undefined) return;
      // With a free port, or in another app, our origin is known only now.
      for (const { port } of ports) addLoopbackOrigins(publicOrigins, port);
      if (ports.every(({ address }) => isLoopbackHost(address))) return;
      // Only in another app: `janua serve` refuses such settings at start.
      exposed = true;
      log.error('nobody can sign in: PUBLIC_URL must be set when the app is reachable from other machines');
    },
    docs: settings.DOCS === 'on',
    themeFile: settings.THEME_FILE,
  });

  return {
    log,
    readiness,
    async prepare() {
      try {
        prepared ??= await prepare(settings, overrides, { log, stores, mapping, measures });
        return prepared;
      } catch (error) {
        fault = error;
        throw refusedAccount(error) ?? error;
      }
    },
    requireServices,
    async createServer() {
      // Loaded only if needed: the other commands then start in half the time.
      const { createServer } = await import('./server.ts');
      return createServer({
        ...siteOptions(),
        log,
        logsRequests: () => log.isLevelEnabled('info'),
      });
    },
    async createPlugin(onClose) {
      const { createPlugin } = await import('./plugin.ts');
      return createPlugin(siteOptions(), onClose);
    },
    async listenForMetrics() {
      const address = parseListenAddress(settings.METRICS_LISTEN ?? '');
      if (measures.metrics === undefined || address === undefined) return undefined;
      if (cluster.isWorker) return undefined;
      const { listenForMetrics } = await import('./telemetry/metrics-listener.ts');
      const listener = await listenForMetrics(address, measures.metrics.read);
      log.info({ url: listener.url }, 'figures for Prometheus');
      return listener;
    },
    async close() {
      await prepared?.audit.close();
      await Promise.all([stores.close(), measures.close()]);
    },
  };
}

/** The log message if the app listens on a Unix socket, whose peers have no address, or if `TRUSTED_PROXIES` names one. */
function socketAdvice({ named, onSockets, alone }: Readonly<Record<'named' | 'onSockets' | 'alone', boolean>>): {
  readonly level: 'info' | 'warn';
  readonly message: string;
} {
  if (!onSockets)
    return {
      level: 'warn',
      message:
        'TRUSTED_PROXIES=unix does not count, because nothing listens on a Unix socket here: name the addresses that your proxies connect from, such as 127.0.0.1',
    };
  if (!named)
    return {
      level: 'warn',
      message:
        'peers on a Unix socket have no address and share the limits of one: set TRUSTED_PROXIES=unix if a proxy of yours is at the other end',
    };
  if (!alone)
    return {
      level: 'warn',
      message:
        'the app listens on a port too: peers on its Unix socket are not told apart, and TRUSTED_PROXIES=unix does not count',
    };
  return { level: 'info', message: 'X-Forwarded-For counts from every program that may open the Unix socket' };
}

interface Openings {
  readonly log: Logger;
  readonly stores: Stores;
  /** Set if the table of users belongs to a team. */
  readonly mapping: UserMapping | undefined;
  readonly measures: Measures;
}

async function prepare(
  settings: Settings,
  overrides: Overrides,
  { log: wholeLog, stores, mapping, measures }: Openings,
): Promise<Services> {
  const { opened, failures } = stores;
  const { database } = opened;
  if (overrides.migrates) await migrate(opened);
  else await requireCurrentSchema(opened);
  await requireTables(database, { users: mapping === undefined, sessions: settings.REDIS_URL === undefined });
  await stores.sessions.check();

  const now = overrides.now ?? Date.now;
  const log = measures.traces?.namedIn(wholeLog) ?? wholeLog;
  const auditStore = measures.watchStore('database', 'audit', createSqlAuditStore(opened, events));
  const nameKey = await loadKey(database, 'audit-names');
  const ownAudit = createAudit({ events, store: auditStore, log, nameKey, now, processes: settings.WORKERS });
  const audit = measures.metrics?.watchAudit(ownAudit) ?? ownAudit;
  const { HASHING_QUEUE: waiting, HASHING_CONCURRENCY: hashing } = settings;
  // Enough logins to keep the hashing threads busy while others wait for the store. The rest wait for a turn, shared fairly.
  const turns = {
    part: 'Password hashing',
    atOnce: Math.min(4 * hashing, hashing + waiting),
    waiting,
    onRefused: measures.metrics?.observeRefusal,
    onFull: () =>
      log.warn({ event: 'hashing_queue_full', queue: waiting }, 'too many logins are waiting for their turn'),
  };
  const throttle = failures === undefined ? unthrottled : createThrottle({ store: failures, now, ...turns });
  const hostKey = settings.FORWARD_AUTH_ORIGINS.length === 0 ? undefined : await loadKey(database, 'forward-auth');
  const sessions = createSessions({
    store: stores.sessions,
    idleTimeoutSeconds: settings.SESSION_IDLE_SECONDS,
    lifetimeSeconds: settings.SESSION_LIFETIME_SECONDS,
    mostPerUser: settings.SESSIONS_PER_USER,
    ...overrides,
  });
  const rehashes = settings.PASSWORD_REHASH === 'on';
  const ownPasswords = createPasswords({
    concurrency: hashing,
    queue: waiting,
    rehashes,
    log,
    onWaited: measures.metrics?.observeHashingWait,
    onRefused: measures.metrics?.observeRefusal,
  });
  const passwords = measures.traces?.watchCalls('passwords', ownPasswords) ?? ownPasswords;
  measures.metrics?.watchHashing(() => {
    const load = ownPasswords.load();
    return { ...load, waiting: load.waiting + throttle.waiting() };
  });
  const demoUsers = overrides.demoUsers ?? false;
  const { users, registry } = await openDirectory();
  const caller = overrides.caller ?? { route: 'janua' };
  const access = createAccess({ lookUp: chooseLookUp(), sessions, audit });
  const admit = createAdmit({ access, sessions, users, audit });
  const lift = ({ id, username }: User) =>
    liftFailures(throttle, { userId: id, nameDigest: audit.digestName(username) });
  return {
    users,
    registry,
    sessions,
    throttle,
    audit,
    auditTrail: auditStore,
    access,
    logIn: createLogIn({ users, passwords, throttle, admit, audit, log, ...overrides }),
    logOut: createLogOut({ access, sessions, audit }),
    administration: createAdministration({ users, registry, sessions, passwords, liftFailures: lift, audit, caller }),
    browserKey: await loadKey(database, 'browser-cookie'),
    hostKey,
    hosts: hostKey && createHostCredentials(hostKey, now),
    replaceKey: (name) => replaceKey(database, name),
    async clean() {
      if (!(await claimLease(database, 'cleaning', now(), now() + cleaningInterval * 0.9))) return;
      const retained = now() - settings.AUDIT_RETENTION_DAYS * day;
      await removeInBatches((limit) => stores.sessions.removeExpired(now(), limit));
      if (failures !== undefined) await removeInBatches((limit) => failures.removeExpired(now(), limit));
      await removeInBatches((limit) => auditStore.removeBefore(retained, limit));
    },
  };

  function chooseLookUp(): LookUp {
    if (mapping !== undefined || settings.REDIS_URL !== undefined) return lookUpTwice(stores.sessions, users);
    return measures.watchStore('database', 'access', { lookUp: createSqlLookUp(opened, { demoUsers }) }).lookUp;
  }

  async function openDirectory(): Promise<Pick<Services, 'users' | 'registry'>> {
    if (mapping === undefined) {
      const own = measures.watchStore('database', 'users', createSqlDirectory(opened, { demoUsers }));
      return { users: own, registry: own };
    }
    const mapped = await openMappedDirectory(opened, mapping, { rehashes, log });
    for (const warning of mapped.warnings) log.warn({ event: 'users_table' }, lineOf(warning));
    if (overrides.takesLogins ?? true) await passwords.calibrate(await samplePasswordHashes(opened, mapping));
    return { users: measures.watchStore('database', 'users', mapped.directory), registry: undefined };
  }
}

/**
 * What the log shows of a request: no host, query string, fragment, cookie or token (ASVS 14.2.1, 16.2.5). It uses only what
 * every request has, because a request with an unreadable path gets no further.
 */
function describeRequest(findClient: FindClient) {
  return ({ method, url, socket, headers }: Pick<Request, 'method' | 'url' | 'socket' | 'headers'>): object => {
    const { address } = findClient(socket.remoteAddress, headers['x-forwarded-for']?.toString());
    return { method, path: rawPath(url), address };
  };
}
