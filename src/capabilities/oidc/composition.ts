import type { RequireStepUp } from '../../core/access/fresh-proof.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { AuditEvent } from '../../core/audit/event.ts';
import type { Actor } from '../../core/changes/administration.ts';
import type { NextApplication } from '../../core/ports.ts';
import type { Session } from '../../core/sessions/sessions.ts';
import type { Account } from '../../core/users/account.ts';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import type { Groups } from '../../core/users/groups.ts';
import { findHandleOwner } from '../../core/users/handles.ts';
import type { Hold, HoldAny } from '../../core/users/held.ts';
import { disownUsers } from '../../core/users/registry.ts';
import type { RequireRights } from '../../core/users/scopes.ts';
import { canonicalUsername, type User } from '../../core/users/user.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { removeOfClient } from '../../ground/database/deletions.ts';
import type { Cipher } from '../../ground/encryption/cipher.ts';
import type { Log } from '../../ground/faults/log.ts';
import { describeEmpty, type FindClaims, findTableClaims, tableOf } from './claim-table.ts';
import { createApplications } from './clients/applications.ts';
import { type ClientAdministrationOptions, createClientAdministration } from './clients/client-administration.ts';
import { createClients } from './clients/clients.ts';
import { createDocumentFetch } from './clients/documents.ts';
import { createGuardedFetch } from './clients/guarded-fetch.ts';
import { aboutClient, displayName, isDocumentClient, type ProviderClient } from './clients/library-client.ts';
import { createSeparateFetch } from './clients/separate-turns.ts';
import type { events } from './events.ts';
import { createIssuerKeys, createKeysAt } from './keys/published-keys.ts';
import { createRetiredKeys } from './keys/retired-keys.ts';
import { createSigningKeys } from './keys/signing-keys.ts';
import { type ApplicationLogOutOptions, createApplicationLogOut } from './logout/application-log-out.ts';
import { endingOf } from './logout/ending-events.ts';
import { createLogoutNotices } from './logout/logout-notices.ts';
import { createFindMachine, createIsGranted } from './machines/find-machine.ts';
import { createProveWorkload } from './machines/prove-workload.ts';
import { findPicture, pictureAddress } from './pictures/stored-pictures.ts';
import { createProviderLoader } from './provider/loader.ts';
import type { ProviderOptions, SignedInApplication } from './provider/options.ts';
import { createRecords } from './records/records.ts';
import { createNoteRefusal } from './refused-requests.ts';
import { createResources } from './resources/resources.ts';
import { createConsents } from './sign-in/consents.ts';
import { hasConsent } from './sign-in/give-consent.ts';
import { createInteractions } from './sign-in/interactions.ts';
import { authorizationPath } from './sign-in/pending-address.ts';
import { createSubjects } from './subjects.ts';

export interface OidcOptions
  extends Pick<ClientAdministrationOptions, 'groupNames' | 'privateHosts' | 'publicOrigins'>,
    Pick<ApplicationLogOutOptions, 'listSessions' | 'endSession'> {
  readonly opened: OpenDatabase;
  /** 32 bytes, from which ids of grants and sessions, refresh tokens and signatures are derived. */
  readonly key: Buffer;
  readonly cipher: Cipher;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  /** Finds the user of a name or a handle. */
  readonly findNamed: (name: string) => Promise<object | undefined>;
  readonly findClaims: FindClaims;
  readonly hold: Hold;
  readonly holdAny: HoldAny;
  readonly groups: Pick<Groups, 'findAll'>;
  readonly findLiving: (sessionId: string) => Promise<{ session: Session; account: Account } | undefined>;
  readonly requireStepUp: RequireStepUp;
  readonly audit: AuditOf<typeof events>;
  readonly log: Log;
  /** The address of this server. It may be known only once the server listens. */
  readonly baseUrl: () => string;
  /** Finds the path of the page on which strangers sign up. Undefined if strangers cannot. */
  readonly findSignUpPath: () => string | undefined;
  /** Most seconds that a session may last. */
  readonly sessionSeconds: number;
  /** Hosts whose metadata documents may describe clients (`CLIENT_ID_METADATA`). `any` stands for all hosts. */
  readonly documentHosts: readonly string[];
  readonly hasSecondFactors: boolean;
  /** Called with the grant type when an application gets tokens. */
  readonly onTokens?: ((grantType: string) => void) | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const createIsListed = (hosts: readonly string[]) => (address: string) =>
  hosts.some((host) => host.toLowerCase() === URL.parse(address)?.host);

/** Creates the check whether a client may use the metadata document at an address. Undefined if no host is allowed. */
const createAllowsDocument = (hosts: readonly string[]): ProviderOptions['allowsDocument'] =>
  hosts.length === 0
    ? undefined
    : (address) => isDocumentClient(address) && (hosts.includes('any') || createIsListed(hosts)(address));

export type OidcParts = ReturnType<typeof composeOidc>;

/**
 * Creates the provider and its stores. oidc-provider is loaded only once there is a client, or a host for metadata documents is allowed.
 */
export function composeOidc(options: OidcOptions) {
  const { opened, key, cipher, findAccount, findNamed, findLiving, requireStepUp, groups, audit, log, baseUrl, now } =
    options;
  const { groupNames, privateHosts, publicOrigins, documentHosts, sessionSeconds } = options;
  const { findSignUpPath, listSessions, endSession } = options;
  const { database } = opened;
  const subjects = createSubjects(opened);
  const isAlive = async (sessionId: string) => (await findLiving(sessionId)) !== undefined;

  /** Undefined if the account does not exist, is disabled, or its id now belongs to another person. */
  async function findBySubject(subject: string): Promise<Account | undefined> {
    const userId = await subjects.findUserId(subject);
    const account = userId === undefined ? undefined : await findAccount(userId);
    return account?.disabled ? undefined : account;
  }

  const records = createRecords(opened, {
    now,
    key,
    findAccount,
    isAlive,
    listSessions,
    userIdOf: subjects.findUserId,
  });
  const retiredKeys = createRetiredKeys(records, sessionSeconds, now);
  const signingKeys = createSigningKeys(database, cipher, retiredKeys.keep, now);
  const clients = createClients(opened, now);
  const resources = createResources(database, now);
  const consents = createConsents(database, now);
  const { clientsOf, revokeOf: revokeGrants } = records;
  const isTakenId = async (id: string) =>
    (await resources.findCredentials(id)) !== undefined ||
    (await subjects.findUserId(id)) !== undefined ||
    (await findAccount(id)) !== undefined ||
    (await findHandleOwner(canonicalUsername(id), database)) !== undefined ||
    (await findNamed(canonicalUsername(id))) !== undefined;
  const isGranted = createIsGranted(findAccount);
  /** Ends what a client holds. A client that gets its id later must not hear of the users of the former one. */
  const endGrantsOf = async (clientId: string) => {
    await records.revokeClient(clientId);
    await removeOfClient(database, 'janua_logout_notices', clientId);
  };
  const administration = {
    ...{ clients, resources, consents, groupNames, privateHosts, publicOrigins },
    ...{ isTakenId, isGranted, endGrantsOf, audit, now },
    disownUsers: (clientId: string) => disownUsers(database, clientId),
  };
  const isListed = createIsListed(documentHosts);
  const onFull = () =>
    log.warn({ event: 'outside_connections_full' }, 'too many connections to applications wait for a turn');
  const fetch = createDocumentFetch(createSeparateFetch({ privateHosts, onFull }, isListed), now);
  // Strangers cannot use up these connections, because only an administrator can name an issuer, or where a client has its keys.
  const fetchKeys = createGuardedFetch({ privateHosts, onFull });
  const proveWorkload = createProveWorkload({
    findKeys: createIssuerKeys(fetchKeys, now),
    useAssertion: records.useAssertion,
    isGranted,
    issuer: baseUrl,
    now,
  });
  const findKeysAt = createKeysAt(fetchKeys, now);
  const notices = createLogoutNotices({
    database,
    isAlive,
    audit,
    log,
    now,
    userIdOf: subjects.findUserId,
    findClient: clients.find,
    send: async (notice) => (await loader.open())?.tellLogOut(notice),
  });

  /** Tells which claims the application does not get, and why, for `janua explain`. */
  async function findEmpty(client: ProviderClient, user: User, subject: string): Promise<string | undefined> {
    const table = tableOf(client);
    const account = table.length === 0 ? undefined : await findAccount(user.id);
    return account && describeEmpty(await findTableClaims(table, account, subject, options.findClaims));
  }

  async function noteSignIn({ client, signedIn, caller, subject, sid }: SignedInApplication): Promise<void> {
    const { clientId, backchannelLogoutUri } = client;
    const { session, user } = signedIn;
    if (backchannelLogoutUri !== undefined) await notices.expect({ sessionId: session.id, clientId, subject, sid });
    const event = { kind: 'application-signed-in', ...aboutClient(client), caller } as const;
    const detail = await findEmpty(client, user, subject).catch(() => undefined);
    await audit.recordIfPossible({ ...event, userId: user.id, sessionId: session.id, detail });
  }

  const noteRefusal = createNoteRefusal(audit, log);
  const allowsDocument = createAllowsDocument(documentHosts);

  /**
   * Finds the application whose authorization request a path repeats, because the login page names it. Undefined for other paths, and for
   * unknown clients.
   */
  async function findApplication(path: string): Promise<NextApplication | undefined> {
    const { pathname, searchParams } = new URL(path, 'http://janua.invalid');
    const clientId = searchParams.get('client_id') ?? '';
    if (pathname !== authorizationPath) return undefined;
    if (isDocumentClient(clientId))
      return allowsDocument?.(clientId) ? { name: displayName({ clientId }), isStranger: true } : undefined;
    // If the database fails here, the login goes on without the name.
    const client = await clients.find(clientId).catch(() => undefined);
    return client && { name: client.name, isStranger: false, picture: pictureAddress(client.picture) };
  }

  /**
   * Gives a user the id by which applications know them, for a command.
   * @throws {ChangeRefused} if the user has another one, or the id is a client's, a resource's or another user's
   */
  async function giveSubject(user: Pick<Account['user'], 'id'>, subject: string, actor: Actor): Promise<void> {
    if ((await clients.find(subject)) !== undefined || (await resources.findCredentials(subject)) !== undefined)
      throw new ChangeRefused(`The sub ${subject} is the id of a client.`);
    await options.holdAny(user.id, async (held) => {
      const owner = await findHandleOwner(canonicalUsername(subject), held.db);
      if (owner !== undefined && owner !== user.id)
        throw new ChangeRefused(`The sub ${subject} is the handle of another user, or was.`);
      await subjects.give(held, subject);
      await audit.recordIn(held.db, { kind: 'subject-given', ...actor, userId: user.id, about: subject });
    });
  }

  const optionsFor = (keys: ProviderOptions['keys']): ProviderOptions => ({
    issuer: baseUrl(),
    keys,
    key,
    records,
    findLiving,
    sessionSeconds,
    signUpPath: findSignUpPath(),
    findClient: clients.find,
    noteSecret: clients.noteUse,
    findResource: resources.find,
    isGranted,
    proveWorkload,
    findCredentials: resources.findCredentials,
    findKeysAt,
    subjectOf: subjects.subjectOf,
    findAccount: findBySubject,
    findClaims: options.findClaims,
    findRetiredKey: retiredKeys.find,
    hasConsent: (user, client, scopes) => hasConsent(consents, user, client, scopes),
    allowsDocument,
    isListed,
    fetch,
    onSignedIn: noteSignIn,
    onRefused: noteRefusal,
    onTokens: options.onTokens,
    onFault: (error) => log.error({ event: 'provider_failed', err: error }, 'unexpected error'),
    now,
  });

  const loader = createProviderLoader({
    isNeeded: async () => documentHosts.length > 0 || clients.exist(),
    loadKeys: signingKeys.load,
    optionsFor,
    onLoaded: notices.start,
    now,
  });

  return {
    clients,
    resources,
    consents,
    applications: createApplications({ database, clients, consents, clientsOf, revokeGrants }),
    administerClients: (actor: Actor, requireRights?: RequireRights) =>
      createClientAdministration(administration, actor, requireRights),
    openProvider: loader.open,
    findSubject: subjects.findSubject,
    subjectOf: subjects.subjectOf,
    findUserIdOfSubject: subjects.findUserId,
    giveSubject,
    findMachine: createFindMachine({ records, findClient: clients.find, findAccount, groups, issuer: baseUrl, now }),
    findApplication,
    findPicture: (hash: string) => findPicture(database, hash),
    noteRefusal,
    applicationLogOut: createApplicationLogOut({ findAccount: findBySubject, listSessions, endSession }),
    interactions: createInteractions({
      records,
      consents,
      findAccount,
      hold: options.hold,
      requireStepUp,
      hasSecondFactors: options.hasSecondFactors,
      audit,
    }),
    removeOfEnded: records.removeOfEnded,
    rotateSigningKeys: signingKeys.rotate,
    logoutNotices: notices,
    /** Notifies applications if an event has ended sessions. */
    noteEnding(event: AuditEvent): void {
      const ending = endingOf(event);
      // Without a client, oidc-provider is not loaded, and no application knows of any session.
      if (ending !== undefined && loader.isLoaded()) notices.checkNow(ending);
    },
  };
}
