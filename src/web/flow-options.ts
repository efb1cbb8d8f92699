import type { AddressInfo } from 'node:net';
import type { Access } from '../core/access/access.ts';
import type { FindFresh, RequireFresh, RequireStepUp } from '../core/access/fresh-proof.ts';
import type { Answer } from '../core/access/refusal.ts';
import type { Audit } from '../core/audit/audit.ts';
import type { JoinedPorts } from '../core/ports.ts';
import type { Measures } from '../core/telemetry/measures.ts';
import type { Language } from '../ground/languages/languages.ts';
import type { PasskeyApp } from '../ground/text/passkey-apps.ts';
import type { TrustedProxies } from './client-address.ts';
import type { FindUnavailable } from './health.routes.ts';

/** `isTrustedPeer` tells whether the peer is one of our proxies. Janua trusts the forwarded addresses and request ids of those only. */
export interface FlowOptions extends Pick<TrustedProxies, 'findClient' | 'isTrustedPeer'> {
  /** Throws {Unavailable} until the stores are ready. */
  readonly parts: () => {
    readonly access: Access;
    readonly ports: Pick<JoinedPorts, 'findMachine'>;
    readonly findFresh: FindFresh;
    readonly requireFresh: RequireFresh;
    readonly requireStepUp: RequireStepUp;
    /** Makes the cookie by which an account is known in a browser. */
    readonly knownBrowsers: { cookie(fingerprint: string, cookieHeader: string | undefined): string };
    /** Records refusals that no rule with more details has recorded. */
    readonly audit: Audit<NonNullable<Answer['event']>['kind'] | 'permission-refused'>;
  };
  readonly findUnavailable: FindUnavailable;
  /** The metrics and traces of requests. Without both, no hook is added. */
  readonly measures: Partial<Pick<Measures, 'metrics' | 'traces'>>;
  readonly appName: string;
  /** Language of pages for users who have chosen none, and whose browser accepts none of ours. */
  readonly language: Language;
  readonly version: string;
  /** Our own origins. If the system chooses the port, the set is empty until the app listens. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Whether the server answers for a host. Undefined outside the demo, because a proxy may have a name of its own for the server. */
  readonly isOwnHost?: ((host: string) => boolean) | undefined;
  /** Whether the server answers a peer (the address of a connection). Undefined where it answers every peer. */
  readonly isOwnPeer?: ((peer: string | undefined) => boolean) | undefined;
  /** Whether browsers use HTTPS. Decides the cookies and HSTS. */
  readonly https: boolean;
  /** Other origins whose scripts may call Janua, with the user's cookies. */
  readonly corsOrigins: ReadonlySet<string>;
  /** Finds the application that a path leads to. Undefined for Janua itself. */
  readonly findApplication: JoinedPorts['findApplication'];
  /** Called with the addresses once the app listens. A Unix socket is a path. */
  readonly onListen?: ((addresses: readonly (AddressInfo | string)[]) => void) | undefined;
  readonly docs: boolean;
  /** Scopes of applications, besides Janua's own. */
  readonly applicationScopes: readonly string[];
  readonly features: Features;
  readonly themeFile?: string | undefined;
}

/** The features that work here, by the settings and the table of users. */
export interface Features {
  readonly mail: boolean;
  readonly mailbox: boolean;
  readonly signUp: boolean;
  readonly password: boolean;
  /** Whether users may change their name and address, and delete the account. */
  readonly ownAccounts: boolean;
  /** Whether users may choose a handle. */
  readonly ownHandles: boolean;
  readonly secondFactor: boolean;
  /** The domain of the passkeys. Undefined if there are none. */
  readonly passkeyDomain: string | undefined;
  /** The mobile applications that may use the passkeys. */
  readonly passkeyApps: readonly PasskeyApp[];
  /** Other providers that users can sign in with, in the order of their buttons. */
  readonly upstreams: readonly { readonly id: string; readonly name: string }[];
}
