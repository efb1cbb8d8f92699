import cluster from 'node:cluster';
import type { Logger } from 'pino';
import manifest from '../package.json' with { type: 'json' };
import { createAccountMails } from './capabilities/account/mails.ts';
import { createAccountParts } from './capabilities/account/parts.ts';
import { signUpPath } from './capabilities/account/sign-up.ts';
import { createFindUsers } from './capabilities/admin/find-users.ts';
import { createOverview } from './capabilities/admin/overview.ts';
import { createHostCredentials } from './capabilities/forward-auth/host-credentials.ts';
import { createReturns } from './capabilities/forward-auth/returns.ts';
import { createFindBarrier } from './capabilities/forward-auth/rules.ts';
import { createOidcParts } from './capabilities/oidc/parts.ts';
import { createFactorMails } from './capabilities/second-factor/enrolment.ts';
import { createFactorParts } from './capabilities/second-factor/parts.ts';
import { createPasskeys } from './capabilities/second-factor/passkeys.ts';
import { rotateEncryptionKey } from './capabilities/second-factor/rotate-encryption-key.ts';
import { createConfirm } from './capabilities/sign-in/confirm.ts';
import { createKnownBrowsers } from './capabilities/sign-in/known-browsers.ts';
import { createLogIn } from './capabilities/sign-in/log-in.ts';
import { createLogOut } from './capabilities/sign-in/log-out.ts';
import { attemptOf, liftFailures, limitsOf, limitsOfFactor } from './capabilities/sign-in/login-limits.ts';
import { createNoticeSignIn, describeNewSignIn } from './capabilities/sign-in/new-sign-in.ts';
import { type AttemptOptions, createAttemptPassword } from './capabilities/sign-in/password-attempt.ts';
import { createThrottled } from './capabilities/sign-in/throttled.ts';
import { createIdentities } from './capabilities/upstream/identities.ts';
import { describeMethodsChanged } from './capabilities/upstream/linking.ts';
import type { UpstreamOptions } from './capabilities/upstream/options.ts';
import { createUpstreamParts } from './capabilities/upstream/parts.ts';
import { createAccess } from './core/access/access.ts';
import { type Admit, createAdmit } from './core/access/admit.ts';
import { createSqlLookUp, lookUpTwice } from './core/access/look-up.ts';
import { createPersonalTokens } from './core/access/personal-tokens.ts';
import { createAudit } from './core/audit/audit.ts';
import type { AuditEvent, Caller } from './core/audit/event.ts';
import { createSqlAuditStore } from './core/audit/sql-store.ts';
import { type Actor, type AdministrationOptions, createAdministration } from './core/changes/administration.ts';
import { createChanges } from './core/changes/change.ts';
import type { MailDescription } from './core/mail/description.ts';
import { createOutbox } from './core/mail/outbox.ts';
import { createRequestMail } from './core/mail/request-mail.ts';
import { createSender } from './core/mail/sender.ts';
import { openTransport } from './core/mail/transport.ts';
import type { HashingThreads } from './core/passwords/hashing/threads.ts';
import { createPasswords } from './core/passwords/passwords.ts';
import { createPasswordPolicy } from './core/passwords/policy.ts';
import { createSessions } from './core/sessions/sessions.ts';
import { createReadiness } from './core/stores/readiness.ts';
import { refusedAccount } from './core/stores/store-faults.ts';
import { openStores, type Stores } from './core/stores/stores.ts';
import { cleaningInterval, startCleaning } from './core/stores/upkeep.ts';
import { createLog } from './core/telemetry/log.ts';
import { type Measures, openMeasures } from './core/telemetry/measures.ts';
import { createThrottle, unthrottled } from './core/throttle/throttle.ts';
import { createTokens } from './core/tokens/tokens.ts';
import { type Account, stampOf } from './core/users/account.ts';
import { createGroups } from './core/users/groups.ts';
import { createHold, provedBy } from './core/users/held.ts';
import { createImportUsers } from './core/users/import-users.ts';
import { createNoteLogin } from './core/users/last-logins.ts';
import { openMappedDirectory, samplePasswordHashes } from './core/users/mapped/mapped-directory.ts';
import { parseMapping, type UserMapping } from './core/users/mapped/mapping.ts';
import type { RequireRights } from './core/users/scopes.ts';
import { createSqlDirectory, type DirectoryOptions } from './core/users/sql-directory.ts';
import { canonicalUsername, type User } from './core/users/user.ts';
import type { SearchableDirectory, UserRegistry } from './core/users/user-directory.ts';
import type { CheckUp } from './doctor/check-up.ts';
import { parseForwardRule } from './ground/config/forward-rules.ts';
import { parseListenAddress } from './ground/config/listen-address.ts';
import { findMailRoute } from './ground/config/mail-server.ts';
import {
  addLoopbackOrigins,
  findPasskeyDomain,
  isHttps,
  isLoopbackHost,
  originsOf,
  publicOriginsOf,
} from './ground/config/origin.ts';
import type { Settings } from './ground/config/settings.ts';
import { showSettings } from './ground/config/shown-settings.ts';
import type { TraceSettings } from './ground/config/traces.ts';
import { readUpstreams } from './ground/config/upstreams-file.ts';
import { expiringTables, removeExpired, removeInBatches } from './ground/database/deletions.ts';
import { databasePart } from './ground/database/errors.ts';
import { type KeyName, loadKey, replaceKey } from './ground/database/keys.ts';
import { claimLease } from './ground/database/lease.ts';
import { migrate, requireTables, requireUsableSchema } from './ground/database/migrations.ts';
import { tablesInRedis } from './ground/database/schema.ts';
import { createCipher } from './ground/encryption/cipher.ts';
import { openEncryptionKeys } from './ground/encryption/key-file.ts';
import { faultsOf, lineOf } from './ground/faults/misconfiguration.ts';
import { Unavailable } from './ground/faults/unavailable.ts';
import { isLanguage } from './ground/languages/languages.ts';
import { speak } from './ground/languages/speech.ts';
import { events, type SiteOptions } from './site.ts';
import { createTrustedProxies } from './web/client-address.ts';
import { rawPath } from './web/request-target.ts';
import type { Request } from './web/types.ts';

const millisecondsPerDay = 24 * 60 * 60 * 1000;

export type Composition = Awaited<ReturnType<typeof compose>>;

export type Services = Awaited<ReturnType<typeof prepare>>;

/** What the demo, the commands and the tests override. */
export interface Overrides extends Partial<DirectoryOptions>, Pick<AttemptOptions, 'failureFloor'> {
  /** Whether `prepare` brings our own tables up to date. */
  readonly migrates?: boolean;
  /** Whether users log in here. If so, `prepare` measures how long their password hashes take. Commands need not wait for that. */
  readonly takesLogins?: boolean;
  /** Whether a mailbox keeps the mail, to be shown at `/demo/mail`, if no mail server is set. */
  readonly demoMailbox?: boolean;
  readonly caller?: Caller;
  /** The names of the settings that a program has passed. Without it they are from the environment. */
  readonly given?: ReadonlySet<string>;
  readonly hashingThreads?: HashingThreads | undefined;
  readonly traces?: TraceSettings | undefined;
  /** By which other providers are called. */
  readonly fetch?: UpstreamOptions['fetch'];
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Turns settings into running services. The parts meet only here, and no store has been asked for anything yet.
 * @throws {Misconfiguration} when a store's address cannot be read, or a database file cannot be opened
 */
export async function compose(settings: Settings, overrides: Overrides = {}) {
  const { findClient, isTrustedPeer, noteListening } = createTrustedProxies(settings.TRUSTED_PROXIES);
  // No host, query string, fragment, cookie or token (ASVS 14.2.1, 16.2.5). An unreadable path gets no further than Fastify's plain request.
  const log = createLog(settings, ({ method, url, socket, headers }: Request) => ({
    method,
    path: rawPath(url),
    address: findClient(socket.remoteAddress, headers['x-forwarded-for']?.toString()).address,
  }));
  const measures = await openMeasures({
    metrics: settings.METRICS_LISTEN !== undefined && (overrides.takesLogins ?? true),
    kinds: { events: Object.keys(events), refusals: Object.keys(events['application-refused'].reasons) },
    traces: overrides.traces,
    version: manifest.version,
    log,
  });
  const mapping = parseMapping(settings.USERS_TABLE, settings.USERS_COLUMNS);
  const upstreams = readUpstreams(settings.UPSTREAMS_FILE);
  const stores = await openStores(settings, { log, measures, mustExist: !overrides.migrates });

  let prepared: Services | undefined;
  let cleaning: NodeJS.Timeout | undefined;
  /** Why `prepared` is not set yet. Requests get this error meanwhile. */
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

  const mailbox = overrides.demoMailbox === true && settings.MAIL_URL === undefined;
  const mailWorks = mailbox || settings.MAIL_URL !== undefined;
  const offersSignUp = mailWorks && mapping === undefined && settings.SIGN_UP === 'on';
  const publicOrigins = publicOriginsOf(settings);
  /** Our address in the links of mails. It is configured, and never taken from a request. */
  function baseUrl(): string {
    const [origin] = publicOrigins;
    if (origin === undefined) throw new TypeError('mail was sent before the address of its links was known');
    return origin;
  }
  /** With a free port, the address is known once the server listens. */
  function startSending(): void {
    if (publicOrigins.size === 0 || overrides.takesLogins === false) return;
    prepared?.mail?.start();
    // Only then, because loading it takes longer than the rest of the start. Requests get the fault if there is one.
    if (isListening)
      prepared?.openProvider().catch((error: unknown) => log.warn({ err: error }, 'the provider could not be started'));
  }
  const forwardOrigins = originsOf(settings.FORWARD_AUTH_ORIGINS);
  const returns = createReturns(forwardOrigins, () => requireServices().hostKey);
  const rules = settings.FORWARD_AUTH_RULES.map(parseForwardRule).filter((rule) => rule !== undefined);
  const siteOptions = (): SiteOptions => ({
    parts: requireServices,
    findClient,
    isTrustedPeer,
    findUnavailable: readiness.findUnavailable,
    measures,
    appName: settings.APP_NAME,
    language: settings.LANGUAGE,
    version: manifest.version,
    publicOrigins,
    // The mailbox of the demo is open to all who reach it.
    isOwnHost: overrides.demoUsers ? isLoopbackHost : undefined,
    https: isHttps(settings),
    trustedBrowserDays: settings.TRUSTED_BROWSER_DAYS,
    corsOrigins: originsOf(settings.CORS_ORIGINS),
    forwardOrigins,
    returns,
    findBarrier: createFindBarrier(rules),
    forwardRules: rules,
    nameApplication: returns.nameApplication,
    onListen(addresses) {
      noteListening(addresses, log);
      isListening = true;
      if (settings.PUBLIC_URL !== undefined) return startSending();
      const ports = addresses.filter((address) => typeof address === 'object');
      // With a free port, or in another app, our origin is known only now.
      for (const { port } of ports) addLoopbackOrigins(publicOrigins, port);
      startSending();
      if (ports.every(({ address }) => isLoopbackHost(address))) return;
      // Only in another app: `janua serve` refuses such settings at start.
      exposed = true;
      log.error('users cannot sign in: PUBLIC_URL must be set when other machines can reach the app');
    },
    features: {
      mail: mailWorks,
      mailbox,
      signUp: offersSignUp,
      password: mapping === undefined || settings.PASSWORD_REHASH === 'on',
      ownAccounts: mapping === undefined,
      secondFactor: settings.SECOND_FACTOR !== 'off',
      passkeyDomain: findPasskeyDomain(settings),
      upstreams: upstreams.map(({ id, name }) => ({ id, name })),
    },
    findKeptMail: mailbox ? (limit) => requireServices().outbox.listKept(limit) : undefined,
    docs: settings.DOCS === 'on',
    applicationScopes: settings.SCOPES,
    themeFile: settings.THEME_FILE,
  });

  return {
    log,
    readiness,
    /**
     * Checks the stores, and returns what the commands work with. May be called again after a failure.
     * @throws {Misconfiguration} when the schema is not this version's, or the table of users cannot work
     * @throws {Unavailable} while a store cannot be reached
     */
    async prepare(): Promise<Services> {
      try {
        const openings = { log, stores, mapping, measures, mailWorks, offersSignUp, baseUrl, publicOrigins, upstreams };
        prepared ??= await prepare(settings, overrides, openings);
        if (overrides.takesLogins !== false) cleaning ??= startCleaning(prepared.clean, log);
        startSending();
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
      return createServer({ ...siteOptions(), log, logsRequests: () => log.isLevelEnabled('info') });
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
      await Promise.all([prepared?.mail?.close(), prepared?.logoutNotices.close()]);
      await prepared?.audit.close();
      await Promise.all([stores.close(), measures.close()]);
    },
  };
}

interface Openings {
  readonly log: Logger;
  readonly stores: Stores;
  readonly mapping: UserMapping | undefined;
  readonly measures: Measures;
  readonly mailWorks: boolean;
  readonly offersSignUp: boolean;
  readonly baseUrl: () => string;
  readonly publicOrigins: ReadonlySet<string>;
  readonly upstreams: UpstreamOptions['upstreams'];
}

async function prepare(settings: Settings, overrides: Overrides, openings: Openings) {
  const {
    log: wholeLog,
    stores,
    mapping,
    measures,
    mailWorks,
    offersSignUp,
    baseUrl,
    publicOrigins,
    upstreams,
  } = openings;
  const { opened, failures } = stores;
  const { database } = opened;
  if (overrides.migrates) await migrate(opened);
  else await requireUsableSchema(opened);
  await requireTables(database, { users: mapping === undefined, sessions: settings.REDIS_URL === undefined });
  await stores.sessions.check();

  const { now = Date.now, demoUsers = false, takesLogins = true, caller = { route: 'janua' } } = overrides;
  const log = measures.traces?.namedIn(wholeLog) ?? wholeLog;
  const auditStore = measures.watchStore('database', 'audit', createSqlAuditStore(opened, events));
  const nameKey = await loadKey(database, 'audit-names');
  let noteEnding: ((event: AuditEvent) => void) | undefined;
  function onEvent(event: AuditEvent, isRecorded: boolean): void {
    measures.metrics?.observeEvent(event, isRecorded);
    if (takesLogins) noteEnding?.(event);
  }
  const audit = createAudit({ events, store: auditStore, log, nameKey, now, processes: settings.WORKERS, onEvent });
  const { HASHING_QUEUE: waiting, HASHING_CONCURRENCY: hashing } = settings;
  // Enough logins to keep the hashing threads busy while others wait for the store. The rest wait for a turn, shared fairly.
  const turns = {
    part: 'Password hashing',
    atOnce: Math.min(4 * hashing, hashing + waiting),
    waiting,
    onRefused: measures.metrics?.observeRefusal,
    onFull: () => log.warn({ event: 'hashing_queue_full', queue: waiting }, 'the queue of waiting logins is full'),
  };
  const throttle = failures === undefined ? unthrottled : createThrottle({ store: failures, now, ...turns });
  const hostKey = settings.FORWARD_AUTH_ORIGINS.length === 0 ? undefined : await loadKey(database, 'forward-auth');
  const sessions = createSessions({
    store: stores.sessions,
    idleTimeoutSeconds: settings.SESSION_IDLE_SECONDS,
    lifetimeSeconds: settings.SESSION_LIFETIME_SECONDS,
    remembered: {
      idleTimeoutSeconds: settings.REMEMBER_IDLE_SECONDS,
      lifetimeSeconds: settings.REMEMBER_LIFETIME_SECONDS,
    },
    mostPerUser: settings.SESSIONS_PER_USER,
    now,
  });
  const rehashes = settings.PASSWORD_REHASH === 'on';
  const ownPasswords = createPasswords({
    threads: overrides.hashingThreads,
    concurrency: hashing,
    queue: waiting,
    rehashes,
    log,
    onWaited: measures.metrics?.observeHashingWait,
    onRefused: measures.metrics?.observeRefusal,
  });
  const passwords = measures.traces?.watchCalls('passwords', ownPasswords) ?? ownPasswords;
  const { APP_NAME: appName, BREACHED_PASSWORDS: breached } = settings;
  const passwordPolicy = createPasswordPolicy({ appName, breached, log });

  const administrators = new Set(settings.ADMINISTRATORS.map(canonicalUsername));
  const directoryOptions = { demoUsers, administrators };
  async function openDirectory(): Promise<{ users: SearchableDirectory; registry: UserRegistry | undefined }> {
    if (mapping === undefined) {
      const own = measures.watchStore('database', 'users', createSqlDirectory(opened, directoryOptions));
      return { users: own, registry: own };
    }
    const mapped = await openMappedDirectory(opened, mapping, { rehashes, log });
    for (const warning of mapped.warnings) log.warn({ event: 'users_table' }, lineOf(warning));
    if (takesLogins) await passwords.calibrate(await samplePasswordHashes(opened, mapping));
    return { users: measures.watchStore('database', 'users', mapped.directory), registry: undefined };
  }
  const { users, registry } = await openDirectory();
  const { hold, holdAny, holdNew, meet } = createHold(database, users, registry);
  const groupsInColumn = mapping?.groups !== undefined;
  const groups = createGroups(database, {
    ownUsers: registry !== undefined,
    applicationScopes: settings.SCOPES,
    inColumn: groupsInColumn,
    requireOther: users.requireOtherAdministrator,
  });
  const lookUp =
    settings.REDIS_URL === undefined
      ? measures.watchStore('database', 'access', { lookUp: createSqlLookUp(opened, users.accounts) }).lookUp
      : lookUpTwice(stores.sessions, users);
  const personalTokens = createPersonalTokens(opened, { now, accounts: users.accounts });
  const access = createAccess({ lookUp, sessions, personalTokens, audit, meet });
  const { failureFloor } = overrides;
  const maxAgeSeconds = settings.REAUTHENTICATION_SECONDS;
  const knownBrowsers = createKnownBrowsers(isHttps(settings), await loadKey(database, 'browser-cookie'));
  const lift = ({ id, username }: User, codes?: boolean) =>
    liftFailures(throttle, { userId: id, nameDigest: audit.digestName(username), codes });
  const throttled = createThrottled({ throttle, users, audit });
  const route = findMailRoute(settings);
  const tokens = createTokens(database, now);
  const passkeys = createPasskeys({
    database,
    tokens,
    key: await loadKey(database, 'ceremonies'),
    appName,
    now,
    domain: findPasskeyDomain(settings),
    origins: publicOrigins,
  });
  const factorMails = createFactorMails({ users, tokens, hold, now }, baseUrl);
  /** Its parts are made later. A mail is made when it is sent. */
  async function listWaysIn(account: Account, language: string): Promise<string[]> {
    const { words } = speak(isLanguage(language) ? language : settings.LANGUAGE);
    const { passkeys, totp } = await secondFactors.manageFactors.list(account.user, stampOf(account));
    const factors = [...passkeys.map(({ name }) => name), ...(totp === undefined ? [] : [words.security.app])];
    const identities = (await upstreamParts.linking.list(account.user)).flatMap(({ upstream, name }) =>
      upstreams.filter(({ id }) => id === upstream).map((provider) => `${provider.name} (${name})`),
    );
    return [...(settings.SECOND_FACTOR === 'off' ? [] : factors), ...identities];
  }
  const accountMails = createAccountMails(users, tokens, hold, listWaysIn, baseUrl, now);
  const descriptions: Readonly<Record<string, MailDescription>> = {
    ...accountMails.descriptions,
    'new-sign-in': describeNewSignIn(users, baseUrl),
    ...factorMails.descriptions,
    'sign-in-methods-changed': describeMethodsChanged(users, baseUrl),
  };
  const encryptionKeys = openEncryptionKeys(settings);
  if (takesLogins && settings.SECOND_FACTOR !== 'off')
    for (const fault of faultsOf(encryptionKeys.read)) log.info({ event: 'encryption_unavailable' }, lineOf(fault));
  const cipher = createCipher(encryptionKeys, log);
  const outbox = createOutbox({ database, descriptions, now, onAdded: () => mail?.wake() });
  const sentOutbox = mailWorks ? outbox : undefined;
  const { change, changeAny } = createChanges({
    hold,
    holdAny,
    users,
    sessions,
    outbox: sentOutbox,
    liftFailures: lift,
    audit,
    log,
  });
  const noticeSignIn =
    mailWorks && settings.LOGIN_NOTICES === 'on'
      ? createNoticeSignIn(sessions, createRequestMail({ outbox, throttle, audit }), now)
      : undefined;
  const secondFactors = createFactorParts({
    database,
    passkeys,
    users,
    registry,
    throttle,
    limitsOfFactor,
    tokens,
    knownBrowsers,
    audit,
    now,
    hold,
    change,
    changeAny,
    https: isHttps(settings),
    appName,
    trustedBrowserDays: settings.TRUSTED_BROWSER_DAYS,
    policy: settings.SECOND_FACTOR,
    cipher,
    outbox: sentOutbox,
    isLinked: (user, db) => upstreamParts.linking.isLinked(user, db),
    // `admit` needs them too.
    admit: (proof, admission) => admit(proof, admission),
    clearPasswordFailures: (account, knownBrowser, caller) =>
      throttle.forgive(limitsOf(attemptOf(account.user.username, account, knownBrowser, caller, audit))),
  });
  const { factors, secondFactor } = secondFactors;
  const admit: Admit = createAdmit({
    access,
    sessions,
    users,
    audit,
    demand: secondFactor.demand,
    noticeSignIn,
    meet,
    noteLogin: createNoteLogin(database, now),
  });
  const needsSecondFactor = async (account: Account) =>
    settings.SECOND_FACTOR === 'required' || (await factors.methodsOf(account)).length > 0;
  const attemptPassword = createAttemptPassword({
    users,
    passwords,
    throttle,
    knownBrowsers,
    audit,
    log,
    failureFloor,
    needsSecondFactor,
  });
  const confirm = createConfirm({
    users,
    sessions,
    attemptPassword,
    audit,
    maxAgeSeconds,
    now,
    methodsOf: factors.methodsOf,
    checkFactor: factors.checkFactor,
    isProved: (signedIn, headers) => upstreamParts.confirming.isProved(signedIn, headers),
    providersOf: (account) => upstreamParts.confirming.providersOf(account),
  });
  const upstreamParts = createUpstreamParts({
    upstreams,
    users,
    registry,
    holdNew,
    change,
    tokens,
    admit,
    knownBrowsers,
    audit,
    log,
    baseUrl,
    now,
    identities: createIdentities(database, now),
    key: await loadKey(database, 'ceremonies'),
    https: isHttps(settings),
    fetch: overrides.fetch,
    requireFresh: confirm.requireFresh,
    confirmBy: confirm.confirmBy,
    hasPasskey: async (user, db) =>
      findPasskeyDomain(settings) !== undefined && (await passkeys.list(user, db)).length > 0,
    signUp: settings.SIGN_UP === 'on',
    signUpDomains: settings.SIGN_UP_DOMAINS,
  });
  const mail =
    takesLogins && mailWorks
      ? createSender({
          database,
          outbox,
          descriptions,
          appName: settings.APP_NAME,
          audit,
          log,
          now,
          findWords: (text, language) => speak(isLanguage(language) ? language : settings.LANGUAGE).words.mails[text],
          openTransport: route && (() => openTransport(route)),
          onFailed: measures.metrics?.observeMailFailure,
        })
      : undefined;
  measures.metrics?.watchLoads({
    hashing() {
      const load = ownPasswords.load();
      return { ...load, waiting: load.waiting + throttle.waiting() };
    },
    queuedMails: outbox.countQueued,
  });
  if (takesLogins && !mailWorks) log.info({ event: 'mail_off' }, 'MAIL_URL is not set: what needs mail is left out');
  const administration: AdministrationOptions = {
    users,
    registry,
    holdNew,
    changeAny,
    groups,
    sessions,
    passwords,
    passwordPolicy,
    audit,
    lift: throttled.lift,
    async invite(account, byMail, { caller: { requestId }, actorId = 'operator' }) {
      const { username: address } = account.user;
      if (!byMail) return accountMails.createInvitationLink(account);
      const cause = { ...provedBy(account), requestId, causedBy: { userId: actorId } };
      await outbox.add({ purpose: 'invitation', address, language: settings.LANGUAGE, ...cause });
      return undefined;
    },
    sendReset:
      mailWorks && (registry !== undefined || rehashes)
        ? (
            { username: address, language = settings.LANGUAGE },
            { caller: { requestId }, actorId: userId = 'operator' },
          ) => outbox.add({ purpose: 'reset-password', address, language, requestId, causedBy: { userId } })
        : undefined,
    removeFactors: secondFactors.manageFactors.removeAll,
  };
  const administer = (actor: Actor, requireRights?: RequireRights) =>
    createAdministration(administration, actor, requireRights);
  const { logOut, endSession } = createLogOut(access, sessions, audit);
  const oidc = createOidcParts({
    opened,
    cipher,
    audit,
    log,
    baseUrl,
    now,
    redis: stores.redis,
    findAccount: users.findById,
    findLiving: access.findLiving,
    listSessions: (account) => sessions.listOf(account.user.id, stampOf(account)),
    endSession,
    key: await loadKey(database, 'applications'),
    groupNames: async () => (groupsInColumn ? undefined : groups.names()),
    requireStepUp: confirm.requireStepUp,
    hasSecondFactors: settings.SECOND_FACTOR !== 'off',
    sessionSeconds: Math.max(settings.SESSION_LIFETIME_SECONDS, settings.REMEMBER_LIFETIME_SECONDS),
    documentHosts: settings.CLIENT_ID_METADATA,
    onTokens: measures.metrics?.observeTokens,
    privateHosts: settings.OIDC_PRIVATE_HOSTS,
    signUpPath: offersSignUp ? signUpPath : undefined,
  });
  noteEnding = oidc.noteEnding;
  let checkUp: CheckUp | undefined;
  const overview = createOverview({
    database,
    auditTrail: auditStore,
    countSessions: stores.sessions.count,
    now,
    stores: [
      ...new Map([
        [databasePart, opened.check],
        [stores.sessionsPart, stores.sessions.check],
      ] as const),
    ],
    // Loaded only if needed.
    checkUp: async () => {
      checkUp ??= (await import('./doctor/check-up.ts')).createCheckUp(settings, opened);
      return checkUp();
    },
  });
  return {
    users,
    groups,
    importUsers: registry && createImportUsers(database, registry, groups),
    /** The same directory, if this server may change it. */
    registry,
    sessions,
    throttle,
    audit,
    auditTrail: auditStore,
    access,
    logIn: createLogIn({ users, attemptPassword, admit }),
    ...secondFactors,
    createEnrolmentLink: factorMails.createEnrolmentLink,
    logOut,
    ...confirm,
    ...upstreamParts,
    knownBrowsers,
    personalTokens,
    shownSettings: showSettings(settings, overrides.given),
    throttled,
    overview,
    findUsers: createFindUsers(database, users, { groupsInColumn }),
    outbox,
    mail,
    passwordPolicy,
    ...createAccountParts({
      users,
      registry,
      sessions,
      passwords,
      policy: passwordPolicy,
      tokens,
      throttle,
      admit,
      audit,
      hold,
      holdNew,
      change,
      listIdentities: (user) => upstreamParts.linking.list(user),
      listApplications: oidc.applications.list,
      auditTrail: auditStore,
      personalTokens,
      signUpDomains: settings.SIGN_UP_DOMAINS,
      outbox: sentOutbox,
    }),
    hold,
    holdNew,
    change,
    administer,
    /** What the operator does, by a command or a program. */
    administration: administer({ caller }),
    ...oidc,
    clientAdministration: oidc.administerClients({ caller }),
    hostKey,
    hosts: hostKey && createHostCredentials(hostKey, now),
    /** Replaces a key with a new one. This process keeps the old one. */
    replaceKey: (name: KeyName) => replaceKey(database, name),
    rotateEncryptionKey: () => rotateEncryptionKey(database, encryptionKeys, now),
    /** Removes expired data, unless another process has just done it. */
    async clean(): Promise<void> {
      if (!(await claimLease(database, 'cleaning', now(), now() + cleaningInterval * 0.9))) return;
      const retained = now() - settings.AUDIT_RETENTION_DAYS * millisecondsPerDay;
      for (const table of expiringTables.filter(
        (name) => settings.REDIS_URL === undefined || !tablesInRedis.has(name),
      )) {
        const count = await removeExpired(database, table, now());
        if (table === 'janua_sessions') measures.metrics?.observeExpired(count);
      }
      await factors.totp.removeExpired(now());
      await removeInBatches((limit) => auditStore.removeBefore(retained, limit));
      await overview.count();
    },
  };
}
