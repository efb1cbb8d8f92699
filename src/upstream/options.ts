import type { Admit } from '../access/admit.ts';
import type { RequireFresh } from '../access/fresh-proof.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database } from '../database/database.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { User } from '../users/user.ts';
import type { UserDirectory, UserRegistry } from '../users/user-directory.ts';
import type { events } from './events.ts';
import type { Identities } from './identities.ts';
import type { ProviderOptions } from './provider.ts';
import type { Upstream } from './upstream.ts';

export interface UpstreamOptions extends ProviderOptions {
  readonly upstreams: readonly Upstream[];
  readonly database: Database;
  readonly identities: Identities;
  /** 32 bytes or more. */
  readonly key: Buffer;
  readonly users: UserDirectory;
  /** The same directory, if this server may change it. */
  readonly registry: UserRegistry | undefined;
  /** Whether a new user of a provider may create an account. */
  readonly signUp: boolean;
  /** Domains of the addresses that may. None means any. */
  readonly signUpDomains: readonly string[];
  readonly sessions: Sessions;
  readonly tokens: Pick<Tokens, 'burn'>;
  /** Undefined where no mail is sent. */
  readonly outbox: Outbox | undefined;
  readonly admit: Admit;
  readonly requireFresh: RequireFresh;
  /** Whether the user has a passkey that is enough for a login. */
  readonly hasPasskey: (user: User, db: Database) => Promise<boolean>;
  /** Finds the identifier of the browser, if the account of a fingerprint has signed in with it before. */
  readonly knownBrowsers: { find(fingerprint: string, cookieHeader: string | undefined): string | undefined };
  readonly audit: Audit<keyof typeof events>;
  readonly https: boolean;
  /** The address of this server for browsers. It is configured, and never taken from a request. */
  readonly baseUrl: () => string;
}
