import { isHttps } from '../ground/config/origin.ts';
import type { Settings } from '../ground/config/settings.ts';
import { showSettings } from '../ground/config/shown-settings.ts';
import type { Database } from '../ground/database/database.ts';
import { removeExpired, removeInBatches } from '../ground/database/deletions.ts';
import { type KeyName, loadKey, replaceKey } from '../ground/database/keys.ts';
import { claimLease } from '../ground/database/lease.ts';
import { expiringTables, unusedTables } from '../ground/database/tables.ts';
import { inTransaction } from '../ground/database/transaction.ts';
import { createCipher } from '../ground/encryption/cipher.ts';
import { openEncryptionKeys } from '../ground/encryption/key-file.ts';
import type { Log } from '../ground/faults/log.ts';
import { faultsOf, lineOf } from '../ground/faults/misconfiguration.ts';
import type { Values } from '../ground/languages/languages.ts';
import { createAccess } from './access/access.ts';
import { createAdmit } from './access/admit.ts';
import { type BrowserCookie, createKnownBrowsers } from './access/known-browsers.ts';
import { liftFailures } from './access/login-limits.ts';
import { createRedisLookUp, createSqlLookUp } from './access/look-up.ts';
import { createPersonalTokens } from './access/personal-tokens.ts';
import { createThrottled } from './access/throttled.ts';
import { type AuditOf, createAudit } from './audit/audit.ts';
import type { AuditEvent, Caller, Events } from './audit/event.ts';
import { createSqlAuditStore } from './audit/sql-store.ts';
import { createEndAddressLinks } from './changes/address-links.ts';
import { type Actor, type AdministrationOptions, createAdministration } from './changes/administration.ts';
import { createChanges } from './changes/change.ts';
import { noteNamedAdministrators } from './changes/first-administrator.ts';
import { createImportInvitations } from './changes/import-invitations.ts';
import { createMailing } from './mail/mailing.ts';
import type { HashingThreads } from './passwords/hashing/threads.ts';
import { createPasswords } from './passwords/passwords.ts';
import { createPasswordPolicy } from './passwords/policy.ts';
import type { JoinedPorts, OperatorNotice } from './ports.ts';
import { createSessions } from './sessions/sessions.ts';
import { clocksOf, createClockWatch } from './stores/clocks.ts';
import type { Stores } from './stores/stores.ts';
import { cleaningInterval } from './stores/upkeep.ts';
import type { Measures } from './telemetry/measures.ts';
import { createThrottle, createUnthrottled } from './throttle/throttle.ts';
import { createTokens } from './tokens/tokens.ts';
import { hasForeignPassword } from './users/account.ts';
import { prepareUnlessEnded } from './users/account-join.ts';
import { ChangeRefused, tooManyChanges } from './users/change-refused.ts';
import { createClaims } from './users/claims.ts';
import { createImportUsers } from './users/import-users.ts';
import { createImports } from './users/imports.ts';
import { createInviteLinks } from './users/invite-links.ts';
import { createLastLogins } from './users/last-logins.ts';
import { createMayGive } from './users/may-give.ts';
import { openUsers } from './users/open-users.ts';
import { removeAccounts } from './users/registry.ts';
import type { RequireRights } from './users/scopes.ts';
import type { RecordLeft } from './users/source/adoption.ts';
import type { UserMapping } from './users/source/mapping.ts';
import { moveAccounts, type Origin } from './users/source/origin.ts';
import type { Source } from './users/source/source.ts';
import { createSync, noteFormerPasswords, type SeenChange } from './users/source/sync.ts';
import { createUserSync } from './users/source/user-sync.ts';
import type { User } from './users/user.ts';
import type { UserDirectory } from './users/user-directory.ts';

/** How long mail must have failed before the operator gets a mail about it, in milliseconds. */
const longOutage = 60 * 60 * 1000;

const millisecondsPerDay = 24 * 60 * 60 * 1000;

/** How many accounts one step of the cleaning removes. */
const removedAtOnce = 100;

/** Options that the demo, the commands and the tests override. */
export interface CoreOverrides {
  readonly demoUsers?: boolean;
  /**
   * Whether users log in to this process. If so, its start measures how long their password hashes take. Commands need no such measurement.
   */
  readonly takesLogins?: boolean;
  readonly caller?: Caller;
  /** The names of the settings that a program has passed. Undefined: the settings are from the environment. */
  readonly given?: ReadonlySet<string>;
  readonly hashingThreads?: HashingThreads | undefined;
  /** Whether `USERS_TABLE` may name another table than the one that the accounts came from. Only `janua users moved` allows this. */
  readonly acceptsOrigin?: boolean;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
  /** See `AttemptOptions` (`capabilities/sign-in/password-attempt.ts`). */
  readonly failureFloor?: number | undefined;
  /** Sends a request to another provider. Default: the global `fetch`. */
  fetch?(address: string, options: object): Promise<Response>;
}

/** A result of a check of `janua doctor`. */
export interface Finding {
  readonly state: 'ok' | 'warning' | 'wrong';
  readonly message: string;
  readonly fix?: string;
  readonly values: Values;
}

export interface CoreOptions {
  readonly settings: Settings;
  readonly overrides: CoreOverrides;
  readonly log: Log;
  readonly measures: Measures;
  readonly stores: Stores;
  readonly mapping: UserMapping | undefined;
  /** The events of all parts of the core and of all capabilities. */
  readonly events: Events;
  /** The functions that the capabilities offer. They exist once the capabilities are made. */
  readonly ports: JoinedPorts;
  readonly mailWorks: boolean;
  /** Runs the checks of `janua doctor`. */
  readonly checkUp: () => Promise<readonly (Finding & { readonly check: string })[]>;
  readonly browserCookie: BrowserCookie;
  /** The origins of our own pages. Empty until the server listens, if the system chooses its port. */
  readonly publicOrigins: ReadonlySet<string>;
  readonly baseUrl: () => string;
}

export type Core = Awaited<ReturnType<typeof createCore>>;

/** The core, with an audit that accepts only these events. */
export type CoreWith<Described extends Events> = Omit<Core, 'audit'> & { readonly audit: AuditOf<Described> };

/** Creates the part that all capabilities need: accounts, sessions, and permissions. */
export async function createCore(options: CoreOptions) {
  const { settings, overrides, measures, stores, mapping, ports, mailWorks, baseUrl, publicOrigins } = options;
  const { now = Date.now, takesLogins = true, caller = { route: 'janua' } } = overrides;
  const { opened } = stores;
  const { database } = opened;
  const log = measures.traces?.namedIn(options.log) ?? options.log;
  const common = { settings, overrides, stores, opened, database, log, measures, now, takesLogins };
  const recording = await openAudit(common, options);
  const { audit } = recording;
  const hashing = createHashing(common);
  const { passwords, passwordPolicy } = hashing;
  const { takeTurn } = hashing;
  const { failures } = stores;
  // `failures` is undefined with THROTTLE=off.
  const throttle = failures ? createThrottle({ store: failures, takeTurn, now }) : createUnthrottled(takeTurn);
  const recordLeft = (db: Database, { id, username }: Pick<User, 'id' | 'username'>, reason: string) =>
    audit.recordIn(db, { kind: 'user-left', caller, reason, userId: id, nameDigest: audit.digestName(username) });
  const directory = await openUsers({
    ...common,
    recordLeft,
    mapping,
    demoUsers: overrides.demoUsers ?? false,
    acceptsOrigin: overrides.acceptsOrigin ?? false,
    watch: (store) => measures.watchStore('database', 'users', store),
    calibrate: takesLogins ? passwords.calibrate : undefined,
  });
  const { users, registry, groups, hold, holdAny } = directory;
  const sessions = openSessions(common);
  const tokens = createTokens(database, now);
  const watched = <Store extends object>(store: Store) => measures.watchStore('database', 'access', store);
  const lookUp =
    stores.inRedis === undefined
      ? watched({ lookUp: createSqlLookUp(opened, users.accounts) }).lookUp
      : createRedisLookUp(stores.inRedis, watched({ find: prepareUnlessEnded(opened, users.accounts) }).find);
  const personalTokens = createPersonalTokens(opened, { now, accounts: users.accounts });
  const access = createAccess({ lookUp, sessions, personalTokens, audit });
  const throttled = createThrottled({ throttle, users, audit });
  const onFailed = measures.metrics?.observeMailFailure;
  const tell = (notice: OperatorNotice) => {
    if (takesLogins) ports.tellOperator(notice);
  };
  const onRecovered = (since: number) => {
    if (now() - since >= longOutage)
      tell({ about: 'mail-failed', details: { since: String(since), until: String(now()) } });
  };
  const sends = takesLogins && mailWorks;
  const mailing = createMailing({ ...common, audit, throttle, users, baseUrl, onFailed, onRecovered, sends });
  if (takesLogins && !mailWorks) log.info({ event: 'mail_off' }, 'MAIL_URL is not set: what needs mail is left out');
  const { outbox, mailer, ...sending } = mailing;
  const works = mailWorks ? { sentOutbox: outbox, mailer } : { sentOutbox: undefined, mailer: undefined };
  const lift = ({ id, username }: User, codes?: boolean) =>
    liftFailures(throttle, { userId: id, nameDigest: audit.digestName(username), codes });
  const changing = { hold, holdAny, users, sessions, mailer: works.mailer, liftFailures: lift, audit, log };
  const { change, changeAny } = createChanges(changing);
  const endAddressLinks = createEndAddressLinks(tokens, outbox);
  const lastLogins = createLastLogins(database, now);
  const noteSeen = createNoteSeen(users, { changeAny });
  const admit = createAdmit({
    access,
    sessions,
    users,
    audit,
    requireSecondFactor: ports.factors.requireSecondFactor,
    noticeSignIn: ports.noticeSignIn,
    noteLogin: lastLogins.noteLogin,
    async acceptChanges(account, caller) {
      const { id, sourceKey } = account.user;
      const isKnown = hasForeignPassword(account) === false && account.formerName === undefined && !account.wasDisabled;
      if (sourceKey === undefined || isKnown) return account;
      for (const kind of ['user-renamed-elsewhere', 'password-changed-elsewhere'] as const)
        await noteSeen(kind, id, caller);
      if (account.wasDisabled) await users.noteEnabled(id);
      return users.findById(id);
    },
  });
  if (takesLogins && (settings.ADMINISTRATORS.length > 0 || mapping !== undefined))
    await noteNamedAdministrators(database, now());
  if (takesLogins && directory.team !== undefined) await noteFormerPasswords({ database, ...directory.team });
  const userSync = directory.team && openUserSync(common, { ...directory.team, noteSeen, audit, caller, recordLeft });
  const encryptionKeys = openEncryptionKeys(settings);
  if (takesLogins && settings.SECOND_FACTOR !== 'off')
    for (const fault of faultsOf(encryptionKeys.read)) log.info({ event: 'encryption_unavailable' }, lineOf(fault));
  measures.metrics?.watchLoads({
    hashing: hashing.load,
    queuedMails: outbox.countQueued,
  });
  const imports = registry && createImports(database, registry, now, () => ports.admitInvitation !== undefined);
  const findAccount = (id: string, db?: Database) => (db === undefined ? users.findById(id) : users.lock(id, db));
  const mayGive = createMayGive(findAccount);
  const inviteLinks = registry && createInviteLinks({ database, groups, mayGive, now });
  const findAdmit = () => ports.admitInvitation;
  const inviting = { database, holdAny, findAccount, mayGive, findAdmit, outbox, audit, log, now };
  const administration: AdministrationOptions = {
    users,
    registry,
    imports,
    inviteLinks,
    holdNew: directory.holdNew,
    changeAny,
    groups,
    sessions,
    endAddressLinks,
    passwords,
    passwordPolicy,
    audit,
    transact: (work) => inTransaction(database, work),
    lift: throttled.lift,
    listClients: () => ports.listClients(),
    get createInvitationLink() {
      return ports.createInvitationLink;
    },
    get admitInvitation() {
      return ports.admitInvitation;
    },
    get findInvitation() {
      return ports.findInvitation;
    },
    get isInvited() {
      return ports.isInvited;
    },
    get offerAddress() {
      return ports.offerAddress;
    },
    get sendReset() {
      return ports.sendReset;
    },
    removeFactors: (...asked) => ports.factors.removeAll(...asked),
  };
  /**
   * Removes accounts whose users have left a team's own table. Since then, no user can sign in to such an account. So no notice is sent,
   * and the rule about the last administrator is not checked.
   */
  async function removeDetached(): Promise<void> {
    const left = database.selectFrom('janua_users').select(['id', 'username']).where('left_at', 'is not', null);
    for (;;) {
      const users = await left.limit(removedAtOnce).execute();
      for (const user of users) {
        await sessions.endAllOf(user.id);
        await inTransaction(database, async (db) => {
          await removeAccounts([user.id], db);
          await recordLeft(db, user, 'deleted');
        });
      }
      if (users.length < removedAtOnce) return;
    }
  }
  const administer = (actor: Actor, requireRights?: RequireRights) =>
    createAdministration(administration, actor, requireRights);

  /** Records in the transaction that the operator has replaced a key. */
  const recordKey = (db: Database, name: string) => audit.recordIn(db, { kind: 'key-replaced', reason: name, caller });

  return {
    ...common,
    ...recording,
    ...hashing,
    ...directory,
    ...sending,
    outbox,
    ports,
    throttle,
    sessions,
    tokens,
    personalTokens,
    access,
    throttled,
    change,
    changeAny,
    endAddressLinks,
    admit,
    findLastLogin: lastLogins.findLastLogin,
    /** Undefined without a team's own table. */
    userSync,
    publicOrigins,
    baseUrl,
    checkUp: options.checkUp,
    https: isHttps(settings),
    appName: settings.APP_NAME,
    knownBrowsers: createKnownBrowsers(options.browserCookie, await loadKey(database, 'browser-cookie')),
    cipher: createCipher(encryptionKeys, log, () => tell({ about: 'key-unreadable' })),
    encryptionKeys,
    /** The outbox, and the mailer that adds to it. Undefined if no mail is sent. */
    ...works,
    claims: createClaims(database),
    /** Undefined with a team's own table, like `importUsers`. */
    imports,
    inviteLinks,
    importInvitations: registry && createImportInvitations(inviting),
    importUsers:
      registry &&
      imports &&
      createImportUsers(database, registry, groups, imports, audit, () => ports.listClients(), ports.listImportPorts),
    shownSettings: showSettings(settings, overrides.given),
    loadKey: (name: KeyName) => loadKey(database, name),
    /** Replaces a key with a new one. This process keeps using the old one. */
    replaceKey: (name: KeyName) => replaceKey(database, name, recordKey),
    recordKey,
    caller,
    administer,
    /** The administration as the operator uses it, by a command or a program. */
    administration: administer({ caller }),
    findFresh: ports.findFresh,
    requireFresh: ports.requireFresh,
    requireStepUp: ports.requireStepUp,
    compareClocks: createClockWatch(clocksOf(stores), { log, now, onCompared: measures.metrics?.observeClock }),
    /** Removes expired data, unless another process has just done it. */
    async clean(): Promise<void> {
      if (!(await claimLease(database, 'cleaning', now(), now() + cleaningInterval * 0.9))) return;
      const unused = unusedTables({ users: mapping === undefined, sessions: settings.REDIS_URL === undefined });
      for (const table of expiringTables.filter((name) => !unused.has(name))) {
        const count = await removeExpired(database, table, now());
        if (table === 'janua_sessions') measures.metrics?.observeExpired(count);
      }
      await removeDetached();
      const retained = now() - settings.AUDIT_RETENTION_DAYS * millisecondsPerDay;
      await removeInBatches((limit) => recording.auditTrail.removeBefore(retained, limit));
      await imports?.clean();
      await outbox.removeGivenUp();
      await ports.clean();
    },
  };
}

interface Common extends Pick<CoreOptions, 'settings' | 'overrides' | 'measures' | 'stores'> {
  readonly opened: Stores['opened'];
  readonly database: Stores['opened']['database'];
  readonly log: Log;
  readonly now: () => number;
  readonly takesLogins: boolean;
}

async function openAudit(
  { settings, opened, database, measures, log, now, takesLogins }: Common,
  options: CoreOptions,
) {
  const { events, ports } = options;
  const auditTrail = measures.watchStore('database', 'audit', createSqlAuditStore(opened, events));
  const nameKey = await loadKey(database, 'audit-names');
  function onEvent(event: AuditEvent, isRecorded: boolean): void {
    measures.metrics?.observeEvent(event, isRecorded);
    if (takesLogins) ports.onEvent(event);
  }
  const onLost = () => {
    if (takesLogins) ports.tellOperator({ about: 'audit-lost' });
  };
  const processes = settings.WORKERS;
  const audit = createAudit({
    events,
    store: auditTrail,
    log,
    nameKey,
    now,
    processes,
    tooManyChanges,
    onEvent,
    onLost,
  });
  return { audit, auditTrail, events };
}

/** Returns a function that records a change of another program in a team's own table once, and ends the credentials that it makes void. */
function createNoteSeen(
  {
    acceptPassword,
    acceptName,
    acceptDisabled,
  }: Pick<UserDirectory, 'acceptPassword' | 'acceptName' | 'acceptDisabled'>,
  { changeAny }: Pick<ReturnType<typeof createChanges>, 'changeAny'>,
) {
  const works = {
    'password-changed-elsewhere': acceptPassword,
    'user-renamed-elsewhere': acceptName,
    'user-disabled-elsewhere': acceptDisabled,
  };
  return async (kind: SeenChange, userId: string, caller: Caller): Promise<void> => {
    const event = { kind, isChange: (made: boolean) => made } as const;
    // The user may have been removed since.
    await changeAny(event, userId, { caller }, works[kind]).catch((error: unknown) => {
      if (!(error instanceof ChangeRefused)) throw error;
    });
  };
}

function openUserSync(
  { settings, database, log, now }: Common,
  options: {
    readonly source: Source;
    readonly origin: Origin;
    readonly noteSeen: ReturnType<typeof createNoteSeen>;
    readonly audit: ReturnType<typeof createAudit>;
    readonly caller: Caller;
    readonly recordLeft: RecordLeft;
  },
) {
  const { source, origin, noteSeen, audit, caller, recordLeft } = options;
  const sync = createSync({
    database,
    source,
    now,
    recordLeft,
    end: (userId, kind) => noteSeen(kind, userId, caller),
  });
  const move = (force: boolean) => moveAccounts({ database, source, origin, force, now, recordLeft });
  return createUserSync({ database, sync, move, audit, caller, log, now, intervalHours: settings.USERS_SYNC_HOURS });
}

function createHashing({ settings, overrides, measures, log }: Common) {
  const { HASHING_QUEUE: queue, HASHING_CONCURRENCY: concurrency, APP_NAME: appName } = settings;
  const passwords = createPasswords({
    threads: overrides.hashingThreads,
    concurrency,
    queue,
    rehashes: settings.PASSWORD_REHASH === 'on',
    log,
    onWaited: measures.metrics?.observeHashingWait,
    onRefused: measures.metrics?.observeRefusal,
  });
  return {
    passwords: measures.traces?.watchCalls('passwords', passwords) ?? passwords,
    passwordPolicy: createPasswordPolicy({ appName, breached: settings.BREACHED_PASSWORDS, log }),
    load: passwords.load,
    takeTurn: passwords.takeTurn,
  };
}

function openSessions({ settings, stores, now }: Common) {
  return createSessions({
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
}
