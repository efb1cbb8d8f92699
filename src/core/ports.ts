import { isLoopbackHost } from '../ground/config/origin.ts';
import type { Database } from '../ground/database/database.ts';
import type { Presented, SignedIn } from './access/access.ts';
import type { NoticeSignIn, RequireSecondFactor } from './access/admit.ts';
import type { CheckFactor, FactorMethod } from './access/factor.ts';
import type { ConfirmingRequest, FindFresh, RequireFresh, RequireStepUp } from './access/fresh-proof.ts';
import type { AuditEvent, Caller } from './audit/event.ts';
import type { Actor } from './changes/administration.ts';
import type { MailDescription } from './mail/description.ts';
import type { RenewedSession, Session } from './sessions/sessions.ts';
import type { AuthenticationMethod } from './sessions/store.ts';
import type { Account } from './users/account.ts';
import type { Held } from './users/held.ts';
import type { ImportPort } from './users/imported-user.ts';
import type { User } from './users/user.ts';

/** The functions of the capability sign-in, which every server has (see `Ports`). */
export interface SignInPort {
  readonly findFresh: FindFresh;
  readonly requireFresh: RequireFresh;
  readonly requireStepUp: RequireStepUp;
  /** Renews a session whose user has signed in again. Undefined if the account needs a second factor besides these methods. */
  readonly confirmBy: (
    signedIn: SignedIn,
    methods: readonly AuthenticationMethod[],
    request: ConfirmingRequest,
  ) => Promise<{ readonly account: Account; readonly session: RenewedSession } | undefined>;
  /**
   * Ends every session whose credential the request has.
   * @param wasSignedIn whether the page in the browser was made for a signed-in user
   */
  readonly logOut: (presented: Presented, caller: Caller, wasSignedIn?: boolean) => Promise<void>;
  /** Ends a session whose credential the request does not have, unless the session has ended already. */
  readonly endSession: (session: Pick<Session, 'id' | 'userId'>, caller: Caller) => Promise<void>;
  readonly noticeSignIn: NoticeSignIn | undefined;
}

/** The values for `PublicKeyCredential.signalAllAcceptedCredentials` and `signalCurrentUserDetails`. */
export interface PasskeySignal {
  readonly rpId: string;
  readonly userId: string;
  readonly name: string;
  readonly displayName: string;
  readonly allAcceptedCredentialIds: readonly string[];
}

/** The second factors of a user. */
export interface OwnFactors {
  /** Undefined if passkeys are off. */
  readonly signal?: PasskeySignal | undefined;
  readonly passkeys: readonly {
    readonly name: string;
    readonly createdAt: Date;
    readonly lastUsedAt: Date | undefined;
  }[];
  readonly totp: object | undefined;
  readonly recoveryCodesLeft: number;
  readonly trustedBrowsers: readonly { readonly userAgent: string; readonly trustedAt: Date }[];
}

export interface FactorPort {
  readonly requireSecondFactor: RequireSecondFactor;
  readonly checkFactor: CheckFactor;
  /** Lists the ways to prove a second factor, the last used one first. */
  readonly methodsOf: (account: Pick<Account, 'user'>) => Promise<readonly FactorMethod[]>;
  /** Tells whether the account must have a second factor. */
  readonly isDemanded: (account: Pick<Account, 'user'>) => Promise<boolean>;
  /**
   * Lists the second factors of a user, even if the server does not require any.
   * @param stamp of the account or its session (`stampOf` in `users/account.ts`). Browsers that were trusted under another stamp are left out
   */
  readonly list: (user: User, stamp: string) => Promise<OwnFactors>;
  /** Ends a login whose second factor is still missing. */
  readonly abandon: (pending: string) => Promise<void>;
  /** Removes all second factors of a user. @param judge throws if the actor may not change the account in its current state */
  readonly removeAll: (user: User, actor: Actor, judge?: (account: Account) => void) => Promise<void>;
}

/** A fresh proof of identity that replaces the password. */
export interface OtherProof {
  /** Tells whether the user has just proved their identity to another provider. */
  readonly isProved: (signedIn: SignedIn, headers: ConfirmingRequest['headers']) => boolean;
  /** Lists the ids of the providers with which the user can prove their identity. */
  readonly providersOf: (account: Pick<Account, 'user'>) => Promise<readonly string[]>;
}

/** An application with access to data of a user. */
export interface ConnectedApplication {
  readonly clientId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly since: Date;
}

/** Returns the sort key of an application in a user's list. The next page begins after the key of the last application. */
export const placeOf = ({ since, clientId }: Pick<ConnectedApplication, 'since' | 'clientId'>): readonly string[] => [
  String(since.getTime()),
  clientId,
];

/** An account at another provider, with which a user signs in here. */
export interface LinkedIdentity {
  /** The id of the provider. */
  readonly provider: string;
  readonly name: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** An application that a user may open. */
export interface OpenApplication {
  readonly name: string;
  /** The address of the page where users begin. */
  readonly address: string;
  /** The address of its picture at this server. Undefined if nobody gave it one. */
  readonly picture?: string | undefined;
}

/** The application that a user opens after the login. */
export interface NextApplication {
  /** The name of the application, or its host. */
  readonly name: string;
  /**
   * Whether the application is known only by its metadata document, which any stranger can publish. No link in a mail leads to such an
   * application.
   */
  readonly isStranger: boolean;
  /** The address of its picture at this server. Undefined if nobody gave it one, and for a stranger. */
  readonly picture?: string | undefined;
}

/** A client of OpenID Connect. If it has groups, only their members may use it. */
export interface GuardedClient {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/** A part of an application that only members of groups may open. */
export interface GuardedPath {
  readonly origin: string;
  readonly path: string;
  readonly groups: readonly string[];
}

/**
 * The functions that a capability offers to the core and, through it, to other capabilities. No capability knows another, and each function
 * may be missing. The core looks a function up at each use, because the capabilities are made after the core.
 */
export interface Ports {
  readonly signIn?: SignInPort;
  readonly factors?: FactorPort;
  readonly otherProof?: OtherProof;
  /** Tells whether an account could sign in without a password. @param db the transaction that reads the data */
  hasOtherSignIn?(user: User, db: Database): Promise<boolean>;
  /** Lists the ways to sign in to an account besides its password, by name. */
  listOtherSignIns?(account: Account, language: string): Promise<readonly string[]>;
  listIdentities?(user: User): Promise<readonly LinkedIdentity[]>;
  readonly imports?: ImportPort;
  /**
   * Lists the applications with access to data of the user, the latest first.
   * @param limit default: all
   * @param after `placeOf` the last application of the previous page
   */
  listApplications?(user: User, limit?: number, after?: readonly string[]): Promise<readonly ConnectedApplication[]>;
  countApplications?(user: User): Promise<number>;
  /** Lists the applications that have a page to open, and that the user may use. */
  listOpen?(user: User): Promise<readonly OpenApplication[]>;
  /** Lists the origins of hosts for which the user may make tokens, which programs send by HTTP Basic. */
  listTokenHosts?(user: User): readonly string[];
  readonly guardedPaths?: readonly GuardedPath[];
  listClients?(): Promise<readonly GuardedClient[]>;
  /**
   * Finds the program that acts as itself with this access token (`SignedIn.machine`).
   * @param resource for which the token was issued. Default: Janua's own API
   */
  findMachine?(accessToken: string, resource?: string): Promise<SignedIn | undefined>;
  /** Returns the id by which applications know the user. Makes it when it is first needed. */
  subjectOf?(user: User): Promise<string>;
  /** Tells whether the home page suggests that the user adds a passkey. */
  isPasskeyOffered?(signedIn: SignedIn): Promise<boolean>;
  /** Returns further data for the export of an account, by name, without secrets. */
  exportDataOf?(user: User): Promise<Readonly<Record<string, unknown>>>;
  /** Finds the application that asked for a login. @param path at which Janua continues after the login */
  findApplication?(path: string): Promise<NextApplication | undefined>;
  /** The path of the page on which strangers sign up. Undefined if they cannot. */
  readonly signUpPath?: string;
  /** Makes the link that an invited user opens first. It is a secret. */
  readonly createInvitationLink?: (account: Account) => Promise<string>;
  /** Undefined if the server sends no mail. */
  readonly admitInvitation?: AdmitInvitation | undefined;
  /** Finds the invitation of a user. Undefined for a user who was not invited, or has accepted already. */
  readonly findInvitation?: (account: Account) => Promise<Invitation | undefined>;
  /** Tells whether the user was invited and can still use the link. Undefined if the server sends no mail. */
  readonly isInvited?: ((held: Held) => Promise<boolean>) | undefined;
  /** Mails a link to another address. The signed-in user can confirm the address with it. */
  readonly offerAddress?: ((account: Account, address: string, actor: Actor) => Promise<void>) | undefined;
  /** Mails a link that sets a new password. */
  readonly sendReset?: ((user: User, actor: Actor) => Promise<void>) | undefined;
  /** Mails a notice to the operator of the server. */
  tellOperator?(notice: OperatorNotice): void;
  /** The descriptions of mails, by purpose. */
  readonly mails?: Readonly<Record<string, MailDescription>>;
  onEvent?(event: AuditEvent): void;
  /** Called once the server listens, because its address is known then. */
  start?(): void;
  /** Removes expired data. Only one process at a time calls this. */
  clean?(): Promise<void>;
  close?(): Promise<void>;
}

/** Tells whether pages may link to an application: only to https, or to the user's own machine. */
function isLinkable({ address }: OpenApplication): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
}

/**
 * Counts an invitation mail against the limits. Returns a function that queues the mail once the account exists. Both throw {ChangeRefused}
 * `too-many-mails`.
 * @param userId of an existing account
 */
export type AdmitInvitation = (
  address: string,
  actor: Actor,
  userId?: string,
) => Promise<(account: Account, db?: Database) => Promise<void>>;

/** A notice for the operator of the server. The reasons of the event `operator-told` explain each kind. */
export interface OperatorNotice {
  readonly about: 'mail-failed' | 'administrator-added' | 'backup-failed' | 'audit-lost' | 'key-unreadable';
  /** The values in the text of the mail. Times are milliseconds since 1970. */
  readonly details?: Readonly<Record<string, string>>;
}

/** The state of the link that an invited user opens first. */
export interface Invitation {
  /** `waiting`: the link is not mailed yet. */
  readonly state: 'waiting' | 'open' | 'expired';
  /** Undefined unless the link is open. */
  readonly expiresAt?: Date;
  /** Whether another link may be mailed: its use would prove the address, or the address is verified already. */
  readonly mayRepeat: boolean;
}

export type JoinedPorts = ReturnType<typeof joinPorts>;

/** Joins the functions of all capabilities, with defaults for missing ones. @param offered may be filled later */
export function joinPorts(offered: readonly Ports[]) {
  const find = <Name extends keyof Ports>(name: Name): Ports[Name] | undefined =>
    offered.find((ports) => ports[name] !== undefined)?.[name];
  const listAll = async <Item>(ask: (ports: Ports) => Promise<readonly Item[]> | undefined): Promise<Item[]> =>
    (await Promise.all(offered.map((ports) => ask(ports) ?? []))).flat();

  function requireSignIn(): SignInPort {
    const signIn = find('signIn');
    if (signIn === undefined) throw new TypeError('sign-in is asked for before it is made');
    return signIn;
  }

  const signIn: SignInPort = {
    findFresh: (...asked) => requireSignIn().findFresh(...asked),
    requireFresh: (...asked) => requireSignIn().requireFresh(...asked),
    requireStepUp: (...asked) => requireSignIn().requireStepUp(...asked),
    confirmBy: (...asked) => requireSignIn().confirmBy(...asked),
    logOut: (...asked) => requireSignIn().logOut(...asked),
    endSession: (...asked) => requireSignIn().endSession(...asked),
    noticeSignIn: async (login) => requireSignIn().noticeSignIn?.(login),
  };

  const factors: FactorPort = {
    requireSecondFactor: async (...asked) => find('factors')?.requireSecondFactor(...asked),
    checkFactor: async (...asked) =>
      (await find('factors')?.checkFactor(...asked)) ?? { succeeded: false, code: 'wrong-code', reason: 'wrong-code' },
    isDemanded: async (account) => (await find('factors')?.isDemanded(account)) ?? false,
    methodsOf: async (account) => (await find('factors')?.methodsOf(account)) ?? [],
    list: async (...asked) =>
      (await find('factors')?.list(...asked)) ?? {
        passkeys: [],
        totp: undefined,
        recoveryCodesLeft: 0,
        trustedBrowsers: [],
      },
    abandon: async (pending) => find('factors')?.abandon(pending),
    removeAll: async (...asked) => find('factors')?.removeAll(...asked),
  };

  return {
    ...signIn,
    factors,
    isProved: (...asked) => find('otherProof')?.isProved(...asked) ?? false,
    providersOf: async (account) => (await find('otherProof')?.providersOf(account)) ?? [],
    async hasOtherSignIn(user: User, db: Database): Promise<boolean> {
      // One query after the other, because a transaction has one connection.
      for (const ports of offered) if (await ports.hasOtherSignIn?.(user, db)) return true;
      return false;
    },
    listOtherSignIns: (account: Account, language: string) =>
      listAll((ports) => ports.listOtherSignIns?.(account, language)),
    listIdentities: (user: User) => listAll((ports) => ports.listIdentities?.(user)),
    listApplications: (user: User, limit?: number, after?: readonly string[]) =>
      listAll((ports) => ports.listApplications?.(user, limit, after)),
    countApplications: async (user: User) => (await find('countApplications')?.(user)) ?? 0,
    listOpen: async (user: User) => (await listAll((ports) => ports.listOpen?.(user))).filter(isLinkable),
    listTokenHosts: (user: User) => offered.flatMap((ports) => ports.listTokenHosts?.(user) ?? []),
    listGuardedPaths: () => offered.flatMap((ports) => ports.guardedPaths ?? []),
    listClients: () => listAll((ports) => ports.listClients?.()),
    listImportPorts: () => offered.flatMap(({ imports = [] }) => imports),
    findMachine: async (accessToken: string, resource?: string) => find('findMachine')?.(accessToken, resource),
    subjectOf: async (user: User) => find('subjectOf')?.(user),
    isPasskeyOffered: async (signedIn: SignedIn) => (await find('isPasskeyOffered')?.(signedIn)) ?? false,
    dataOf: async (user: User): Promise<Readonly<Record<string, unknown>>> =>
      Object.assign({}, ...(await Promise.all(offered.map((ports) => ports.exportDataOf?.(user))))),
    async findApplication(path: string): Promise<NextApplication | undefined> {
      const found = await Promise.all(offered.map((ports) => ports.findApplication?.(path)));
      return found.find((application) => application !== undefined);
    },
    get createInvitationLink() {
      return find('createInvitationLink');
    },
    get admitInvitation() {
      return find('admitInvitation');
    },
    get findInvitation() {
      return find('findInvitation');
    },
    get isInvited() {
      return find('isInvited');
    },
    get offerAddress() {
      return find('offerAddress');
    },
    get sendReset() {
      return find('sendReset');
    },
    get signUpPath() {
      return find('signUpPath');
    },
    tellOperator(notice: OperatorNotice): void {
      for (const ports of offered) ports.tellOperator?.(notice);
    },
    onEvent(event: AuditEvent): void {
      for (const ports of offered) ports.onEvent?.(event);
    },
    start(): void {
      for (const ports of offered) ports.start?.();
    },
    async clean(): Promise<void> {
      for (const ports of offered) await ports.clean?.();
    },
    close: () => Promise.all(offered.map((ports) => ports.close?.())),
  } satisfies OtherProof & SignInPort & Record<string, unknown>;
}
