import type { SignedIn } from '../../core/access/access.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Session } from '../../core/sessions/sessions.ts';
import type { Account } from '../../core/users/account.ts';
import type { User } from '../../core/users/user.ts';
import type { FetchFor } from './documents.ts';
import type { RefusalReason } from './events.ts';
import type { AdapterOptions } from './provider-adapter.ts';
import type { ProviderClient } from './provider-client.ts';
import type { ProviderRequest } from './provider-requests.ts';
import type { Resource } from './resources.ts';
import type { RetiredKeys } from './retired-keys.ts';
import type { SigningKey } from './signing-keys.ts';

export interface ProviderOptions extends AdapterOptions {
  /** The address of this server, without a slash at the end. */
  readonly issuer: string;
  readonly keys: readonly SigningKey[];
  /** The public half of a key that is no longer in `keys`, and may have signed an ID token of a session that goes on. */
  readonly findRetiredKey: RetiredKeys['find'];
  /** From which ids of grants are derived. */
  readonly key: Buffer;
  readonly findResource: (uri: string) => Promise<Resource | undefined>;
  readonly findLiving: (sessionId: string) => Promise<{ session: Session; account: Account } | undefined>;
  readonly subjectOf: (user: User) => Promise<string>;
  readonly findAccount: (subject: string) => Promise<Account | undefined>;
  /** Whether the user let the application have all of this before, and it has not changed. */
  readonly hasConsent: (user: User, client: ProviderClient, scopes: readonly string[]) => Promise<boolean>;
  /** Whether an application may introduce itself by the document at this address. Undefined: none may. */
  readonly allowsDocument: ((address: string) => boolean) | undefined;
  /** Whether the operator has named the host of a document. With `any`, documents of other hosts are allowed too. */
  readonly isListed: (address: string) => boolean;
  readonly fetch: FetchFor;
  /** The page on which strangers sign up. Undefined if strangers cannot. */
  readonly signUpPath: string | undefined;
  /** Seconds that a session may last at most. */
  readonly sessionSeconds: number;
  /** A browser was sent back to an application. */
  readonly onSignedIn: (signIn: SignedInApplication) => Promise<void>;
  /** Never fails. */
  readonly onRefused: (refusal: RefusedRequest) => Promise<void>;
  /** An application got tokens. Called with the grant type. */
  readonly onTokens: ((grantType: string) => void) | undefined;
  readonly onFault: (error: Error) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface SignedInApplication {
  readonly signedIn: SignedIn;
  readonly caller: Caller;
  readonly client: ProviderClient;
  readonly subject: string;
  readonly sid: string;
}

export interface RefusedRequest {
  readonly request: ProviderRequest | undefined;
  readonly clientId: string | undefined;
  /** If the client is known. */
  readonly clientName?: string | undefined;
  /** Of the protocol. */
  readonly error: string;
  /** The sentence of the library, for operators. */
  readonly detail: string;
  /** As they were sent. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** If it does not follow from the rest. */
  readonly reason?: RefusalReason | undefined;
}
