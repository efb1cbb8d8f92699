import type { RequireStepUp } from '../../core/access/fresh-proof.ts';
import type { Audit } from '../../core/audit/audit.ts';
import type { AuditEvent } from '../../core/audit/event.ts';
import type { Actor } from '../../core/changes/administration.ts';
import type { Session } from '../../core/sessions/sessions.ts';
import type { Account } from '../../core/users/account.ts';
import type { RequireRights } from '../../core/users/scopes.ts';
import type { User } from '../../core/users/user.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import type { Cipher } from '../../ground/encryption/cipher.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { OpenRedis } from '../../ground/redis/redis.ts';
import { type ApplicationLogOutOptions, createApplicationLogOut } from './application-log-out.ts';
import { createApplications } from './applications.ts';
import { type ClientAdministrationOptions, createClientAdministration } from './client-administration.ts';
import { createClients } from './clients.ts';
import { createConsents } from './consents.ts';
import { createDocumentFetch } from './documents.ts';
import type { events } from './events.ts';
import { createGuardedFetch } from './guarded-fetch.ts';
import { createInteractions } from './interactions.ts';
import { hasConsent } from './let-in.ts';
import { createLogoutNotices } from './logout-notices.ts';
import type { OpenIdProvider } from './provider.ts';
import { isDocument } from './provider-client.ts';
import type { RefusedRequest, SignedInApplication } from './provider-options.ts';
import { createRecords } from './records.ts';
import { createRedisRequests } from './redis-requests.ts';
import { createRecordRefusal } from './refused-requests.ts';
import { createResources } from './resources.ts';
import { createRetiredKeys } from './retired-keys.ts';
import { createSigningKeys } from './signing-keys.ts';
import { createSubjects } from './subjects.ts';

export interface OidcOptions
  extends Pick<ClientAdministrationOptions, 'groupNames' | 'privateHosts'>,
    Pick<ApplicationLogOutOptions, 'listSessions' | 'endSession'> {
  readonly opened: OpenDatabase;
  readonly redis: OpenRedis | undefined;
  /** 32 bytes. What belongs to a session is derived from them. */
  readonly key: Buffer;
  readonly cipher: Cipher;
  /** See `createConsents`. */
  readonly ownerOf: (user: User) => string;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly findLiving: (sessionId: string) => Promise<{ session: Session; account: Account } | undefined>;
  readonly requireStepUp: RequireStepUp;
  readonly audit: Audit<keyof typeof events>;
  readonly log: Log;
  /** Our address. It may be known only once the server listens. */
  readonly baseUrl: () => string;
  /** The page on which strangers sign up. Undefined if strangers cannot. */
  readonly findSignUpPath: () => string | undefined;
  /** The longest that a session may last. */
  readonly sessionSeconds: number;
  /** `CLIENT_ID_METADATA`. */
  readonly documentHosts: readonly string[];
  readonly hasSecondFactors: boolean;
  /** Called with the grant type. */
  readonly onTokens?: ((grantType: string) => void) | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Milliseconds after which the provider looks whether its keys were rotated. */
const lookMilliseconds = 60_000;

/** Without the library's notice that it is not tested on Node 26: our tests do that. */
async function loadLibrary() {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await import('./provider.ts');
  } finally {
    console.warn = warn;
  }
}

/** Events that may have ended several sessions of their user. */
const endings: ReadonlySet<string> = new Set([
  'sessions-ended',
  'other-sessions-ended',
  'user-disabled',
  'account-deleted',
  'user-removed',
  'password-changed',
  'password-reset',
  'password-set',
  'factor-added',
  'factor-removed',
  'factors-removed',
  'identity-linked',
  'identity-unlinked',
]);

export type OidcParts = ReturnType<typeof createOidcParts>;

/** The provider, and all that it needs. The library is loaded only where there is a client. */
export function createOidcParts(options: OidcOptions) {
  const { opened, redis, key, cipher, ownerOf, findAccount, findLiving, requireStepUp, audit, log, baseUrl, now } =
    options;
  const { groupNames, privateHosts, documentHosts, sessionSeconds, findSignUpPath, listSessions, endSession } = options;
  const { database } = opened;
  const subjects = createSubjects(opened, ownerOf);
  const isAlive = async (sessionId: string) => (await findLiving(sessionId)) !== undefined;

  /** Undefined if the account is gone, is disabled, or has another owner now. */
  async function findBySubject(subject: string): Promise<Account | undefined> {
    const known = await subjects.findUser(subject);
    const account = known && (await findAccount(known.userId));
    return account && !account.disabled && ownerOf(account.user) === known?.owner ? account : undefined;
  }

  const records = createRecords(opened, {
    now,
    key,
    findAccount,
    isAlive,
    brief: redis && createRedisRequests(redis),
    userIdOf: async (subject) => (await subjects.findUser(subject))?.userId,
  });
  const retiredKeys = createRetiredKeys(records, sessionSeconds, now);
  const signingKeys = createSigningKeys(database, cipher, retiredKeys.keep, now);
  const clients = createClients(opened, now);
  const resources = createResources(database, now);
  const consents = createConsents(database, ownerOf, now);
  const { clientsOf, revokeOf: revokeGrants, revokeClient: endGrantsOf } = records;
  const administration = { clients, resources, consents, groupNames, privateHosts, endGrantsOf, audit };
  const fetch = createGuardedFetch({ privateHosts });
  const notices = createLogoutNotices({
    database,
    isAlive,
    audit,
    log,
    now,
    send: async (notice) => (await open())?.tellLogOut(notice),
  });

  async function noteSignIn({ client, signedIn, caller, subject, sid }: SignedInApplication): Promise<void> {
    const { clientId, backchannelLogoutUri } = client;
    const { session, user } = signedIn;
    if (backchannelLogoutUri !== undefined) await notices.expect({ sessionId: session.id, clientId, subject, sid });
    const event = { kind: 'application-signed-in', about: clientId, userId: user.id, sessionId: session.id } as const;
    await audit.recordIfPossible({ ...event, caller });
  }

  const recordRefusal = createRecordRefusal(audit);

  /** The log says what was wrong with a document, in the words of the library. */
  function noteRefusal(refused: RefusedRequest): Promise<void> {
    const { clientId, error, detail, request } = refused;
    const details = { event: 'application_refused', clientId, error, detail, requestId: request?.caller.requestId };
    log.debug(details, 'a request of an application was refused');
    return recordRefusal(refused);
  }

  let opening: Promise<OpenIdProvider | undefined> | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let keysVersion: string | undefined;

  async function load(current: OpenIdProvider | undefined): Promise<OpenIdProvider | undefined> {
    if (documentHosts.length === 0 && current === undefined && !(await clients.exist())) return undefined;
    const keys = await signingKeys.load();
    lookedAt = now();
    if (keys.version === keysVersion && current !== undefined) return current;
    keysVersion = keys.version;
    const { createProvider } = await loadLibrary();
    notices.start();
    return createProvider({
      issuer: baseUrl(),
      keys: keys.keys,
      key,
      records,
      findLiving,
      sessionSeconds,
      signUpPath: findSignUpPath(),
      ...{
        findClient: clients.find,
        findResource: resources.find,
        findCredentials: resources.findCredentials,
        subjectOf: subjects.subjectOf,
      },
      findAccount: findBySubject,
      findRetiredKey: retiredKeys.find,
      hasConsent: (user, client, scopes) => hasConsent(consents, user, client, scopes),
      allowsDocument:
        documentHosts.length === 0
          ? undefined
          : (address) =>
              isDocument(address) && (documentHosts.includes('any') || documentHosts.includes(new URL(address).host)),
      fetch: createDocumentFetch(fetch, now),
      onSignedIn: noteSignIn,
      onRefused: noteRefusal,
      onTokens: options.onTokens,
      onFault: (error) => log.error({ event: 'provider_failed', err: error }, 'unexpected error'),
      now,
    });
  }

  /**
   * The provider. Undefined as long as there is no client, and no application may introduce itself.
   * @throws {Unavailable} when a store cannot be reached
   */
  async function open(): Promise<OpenIdProvider | undefined> {
    const current = await opening;
    if (current !== undefined && Math.abs(now() - lookedAt) < lookMilliseconds) return current;
    // One request looks. Others at the same time wait for it.
    if (current !== undefined) lookedAt = now();
    const next = load(current);
    opening = next.catch(() => current);
    return next;
  }

  return {
    clients,
    resources,
    consents,
    applications: createApplications({ clients, consents, clientsOf, revokeGrants }),
    administerClients: (actor: Actor, requireRights?: RequireRights) =>
      createClientAdministration(administration, actor, requireRights),
    openProvider: open,
    noteRefusal,
    applicationLogOut: createApplicationLogOut({ findAccount: findBySubject, listSessions, endSession }),
    interactions: createInteractions({
      records,
      consents,
      findAccount,
      requireStepUp,
      hasSecondFactors: options.hasSecondFactors,
      audit,
    }),
    rotateSigningKeys: signingKeys.rotate,
    logoutNotices: notices,
    /** Looks whether an event has ended a session that applications are told about. */
    noteEnding({ kind, sessionId, userId }: AuditEvent): void {
      // Not loaded: no application knows of any session.
      if (keysVersion === undefined) return;
      if (kind === 'session-ended' || kind === 'logged-out') notices.wake({ sessionId });
      else if (endings.has(kind)) notices.wake({ userId });
    },
  };
}
