import { isLoopbackHost } from '../ground/config/origin.ts';
import type { Database } from '../ground/database/database.ts';
import type { Presented, SignedIn } from './access/access.ts';
import type { Demand, NoticeSignIn } from './access/admit.ts';
import type { CheckFactor, FactorMethod } from './access/factor.ts';
import type { ConfirmingRequest, FindFresh, RequireFresh, RequireStepUp } from './access/fresh-proof.ts';
import type { AuditEvent, Caller } from './audit/event.ts';
import type { Actor } from './changes/administration.ts';
import type { MailDescription } from './mail/description.ts';
import type { RenewedSession, Session } from './sessions/sessions.ts';
import type { AuthenticationMethod } from './sessions/store.ts';
import type { Account } from './users/account.ts';
import type { Held } from './users/held.ts';
import type { User } from './users/user.ts';

/** Sign-in, which is always there. */
export interface SignInPort {
  readonly findFresh: FindFresh;
  readonly requireFresh: RequireFresh;
  readonly requireStepUp: RequireStepUp;
  /** Renews a session whose user has signed in anew. Undefined if the account needs a second factor besides these methods. */
  readonly confirmBy: (
    signedIn: SignedIn,
    methods: readonly AuthenticationMethod[],
    request: ConfirmingRequest,
  ) => Promise<{ readonly account: Account; readonly session: RenewedSession } | undefined>;
  /** Ends every session that is presented. @param wasSignedIn whether the browser shows a page that it got while it was signed in */
  readonly logOut: (presented: Presented, caller: Caller, wasSignedIn?: boolean) => Promise<void>;
  /** Ends a session that is not presented, unless it has ended already. */
  readonly endSession: (session: Pick<Session, 'id' | 'userId'>, caller: Caller) => Promise<void>;
  readonly noticeSignIn: NoticeSignIn | undefined;
}

/** For `PublicKeyCredential.signalAllAcceptedCredentials` and `signalCurrentUserDetails`. */
export interface PasskeySignal {
  readonly rpId: string;
  readonly userId: string;
  readonly name: string;
  readonly displayName: string;
  readonly allAcceptedCredentialIds: readonly string[];
}

/** The second factors of a user. */
export interface OwnFactors {
  /** Undefined where there are no passkeys. */
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
  readonly demand: Demand;
  readonly checkFactor: CheckFactor;
  /** The ways to prove a second factor, the one used last first. */
  readonly methodsOf: (account: Pick<Account, 'user'>) => Promise<readonly FactorMethod[]>;
  /** Whether the account must have one. */
  readonly isDemanded: (account: Pick<Account, 'user'>) => Promise<boolean>;
  /** What a user has, also where factors are ignored. @param stamp of the account or session */
  readonly list: (user: User, stamp: string) => Promise<OwnFactors>;
  /** Ends a login that waits for its second factor. */
  readonly abandon: (pending: string) => Promise<void>;
  /** @param judge refuses, if the actor may not change the account as it is */
  readonly removeAll: (user: User, actor: Actor, judge?: (account: Account) => void) => Promise<void>;
}

/** What stands for the password in a fresh proof. */
export interface OtherProof {
  /** Whether the user has just proved their identity to another provider. */
  readonly isProved: (signedIn: SignedIn, headers: ConfirmingRequest['headers']) => boolean;
  /** The ids of the providers with which the user can prove it. */
  readonly providersOf: (account: Pick<Account, 'user'>) => Promise<readonly string[]>;
}

/** An application that holds something of a user. */
export interface ConnectedApplication {
  readonly clientId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly since: Date;
}

/** The place of an application in the list of a user: the latest is first. */
export const placeOf = ({ since, clientId }: Pick<ConnectedApplication, 'since' | 'clientId'>): readonly string[] => [
  String(since.getTime()),
  clientId,
];

/** A user of another provider who signs an account in. */
export interface LinkedIdentity {
  /** Its id. */
  readonly provider: string;
  readonly name: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** An application that a user may open. */
export interface OpenApplication {
  readonly name: string;
  /** Of the page where users begin. */
  readonly address: string;
}

/** An application that a user goes on to. */
export interface NextApplication {
  /** Its name, or its host. */
  readonly name: string;
  /** Whether it introduced itself, as that of any stranger could. No mail leads there. */
  readonly isStranger: boolean;
}

/** A client. Only members of its groups may use it, if it has any. */
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
 * What a capability offers to the core and, through it, to other capabilities. None knows another, and each part may be missing. The core
 * asks at each use, because the capabilities are made after it.
 */
export interface Ports {
  readonly signIn?: SignInPort;
  readonly factors?: FactorPort;
  readonly otherProof?: OtherProof;
  /** Whether an account could sign in without a password, as a transaction sees it. */
  hasWayIn?(user: User, db: Database): Promise<boolean>;
  /** Names what signs in to an account besides its password. */
  listWaysIn?(account: Account, language: string): Promise<readonly string[]>;
  listIdentities?(user: User): Promise<readonly LinkedIdentity[]>;
  /** The latest first. @param limit default: all @param after the place of the last one of the part before */
  listApplications?(user: User, limit?: number, after?: readonly string[]): Promise<readonly ConnectedApplication[]>;
  countApplications?(user: User): Promise<number>;
  /** Applications that have a page to open, and let the user in. */
  listOpen?(user: User): Promise<readonly OpenApplication[]>;
  readonly guardedPaths?: readonly GuardedPath[];
  listClients?(): Promise<readonly GuardedClient[]>;
  /** Whether the home page offers a passkey to the user. */
  isPasskeyOffered?(signedIn: SignedIn): Promise<boolean>;
  /** What else the export of an account shows, by name, without secrets. */
  dataOf?(user: User): Promise<Readonly<Record<string, unknown>>>;
  /** The application that a path leads to. */
  findApplication?(path: string): Promise<NextApplication | undefined>;
  /** The page on which strangers sign up. */
  readonly signUpPath?: string;
  /** Makes the link by which an invited user begins. It is a secret. */
  readonly createInvitationLink?: (account: Account) => Promise<string>;
  /** Undefined where no mail is sent. */
  readonly admitInvitation?: AdmitInvitation | undefined;
  /** Undefined for a user who was not invited, or has begun. */
  readonly findInvitation?: (account: Account) => Promise<Invitation | undefined>;
  /** Whether the user was invited, and can still use the link. Undefined where no mail is sent. */
  readonly isInvited?: ((held: Held) => Promise<boolean>) | undefined;
  /** Mails a link to another address, which the signed-in user can then confirm. */
  readonly offerAddress?: ((account: Account, address: string, actor: Actor) => Promise<void>) | undefined;
  /** Mails a link that sets a new password. */
  readonly sendReset?: ((user: User, actor: Actor) => Promise<void>) | undefined;
  /** Tells the operator of the server. */
  tellOperator?(notice: OperatorNotice): void;
  /** Mails by their purposes. */
  readonly mails?: Readonly<Record<string, MailDescription>>;
  onEvent?(event: AuditEvent): void;
  /** Called once the server listens, and its address is known. */
  start?(): void;
  /** Removes what no longer counts. Called by one process at a time. */
  clean?(): Promise<void>;
  close?(): Promise<void>;
}

/** Pages link to https alone, or to the user's own machine. */
function isLinkable({ address }: OpenApplication): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
}

/**
 * Counts an invitation that is to be mailed, and gives what queues it once the account is there. Both throw {ChangeRefused} `too-many-mails`.
 * @param userId of an account that there is
 */
export type AdmitInvitation = (
  address: string,
  actor: Actor,
  userId?: string,
) => Promise<(account: Account, db?: Database) => Promise<void>>;

/** What the operator of the server should know. The reasons of the event `operator-told` explain it. */
export interface OperatorNotice {
  readonly about: 'mail-failed' | 'administrator-added' | 'backup-failed' | 'audit-lost' | 'key-unreadable';
  /** For the words of the mail. Times are milliseconds since 1970. */
  readonly details?: Readonly<Record<string, string>>;
}

/** The link by which an invited user begins. */
export interface Invitation {
  /** `waiting`: it is not mailed yet. */
  readonly state: 'waiting' | 'open' | 'expired';
  /** Of an open link. */
  readonly expiresAt?: Date;
  /** Whether another link may be mailed: its use proves the address, or the address is verified already. */
  readonly mayRepeat: boolean;
}

export type JoinedPorts = ReturnType<typeof joinPorts>;

/** Asks all capabilities, and answers for those that are missing. @param offered may fill later */
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
    demand: async (...asked) => find('factors')?.demand(...asked),
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
    async hasWayIn(user: User, db: Database): Promise<boolean> {
      // One after the other: a transaction has one connection.
      for (const ports of offered) if (await ports.hasWayIn?.(user, db)) return true;
      return false;
    },
    listWaysIn: (account: Account, language: string) => listAll((ports) => ports.listWaysIn?.(account, language)),
    listIdentities: (user: User) => listAll((ports) => ports.listIdentities?.(user)),
    listApplications: (user: User, limit?: number, after?: readonly string[]) =>
      listAll((ports) => ports.listApplications?.(user, limit, after)),
    countApplications: async (user: User) => (await find('countApplications')?.(user)) ?? 0,
    listOpen: async (user: User) => (await listAll((ports) => ports.listOpen?.(user))).filter(isLinkable),
    listGuardedPaths: () => offered.flatMap((ports) => ports.guardedPaths ?? []),
    listClients: () => listAll((ports) => ports.listClients?.()),
    isPasskeyOffered: async (signedIn: SignedIn) => (await find('isPasskeyOffered')?.(signedIn)) ?? false,
    dataOf: async (user: User): Promise<Readonly<Record<string, unknown>>> =>
      Object.assign({}, ...(await Promise.all(offered.map((ports) => ports.dataOf?.(user))))),
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
