import type { SignedIn } from '../../../core/access/access.ts';
import type { Caller } from '../../../core/audit/event.ts';
import type { Session } from '../../../core/sessions/sessions.ts';
import type { Account } from '../../../core/users/account.ts';
import type { User } from '../../../core/users/user.ts';
import type { FindClaims } from '../claim-table.ts';
import type { Clients } from '../clients/clients.ts';
import type { FetchFor } from '../clients/documents.ts';
import type { ProviderClient } from '../clients/library-client.ts';
import type { RefusalReason } from '../events.ts';
import type { RetiredKeys } from '../keys/retired-keys.ts';
import type { SigningKey } from '../keys/signing-keys.ts';
import type { IsGranted } from '../machines/find-machine.ts';
import type { ProveWorkload } from '../machines/prove-workload.ts';
import type { Resource } from '../resources/resources.ts';
import type { AdapterOptions } from './adapter.ts';
import type { ProviderRequest } from './requests.ts';

export interface ProviderOptions extends AdapterOptions {
  /** The address of this server, without a slash at the end. */
  readonly issuer: string;
  readonly keys: readonly SigningKey[];
  /** Finds the public half of a key that is no longer in `keys`, and may have signed an ID token of a living session. */
  readonly findRetiredKey: RetiredKeys['find'];
  /** Notes that a secret was used, by its name. Never fails. */
  readonly noteSecret: Clients['noteUse'];
  /** The key from which ids, cookie keys and signatures are derived (`createDerive`). */
  readonly key: Buffer;
  /** Tells whether the grant of a program that acts as itself is still valid. */
  readonly isGranted: IsGranted;
  readonly proveWorkload: ProveWorkload;
  readonly findResource: (uri: string) => Promise<Resource | undefined>;
  readonly findLiving: (sessionId: string) => Promise<{ session: Session; account: Account } | undefined>;
  readonly subjectOf: (user: User) => Promise<string>;
  readonly findAccount: (subject: string) => Promise<Account | undefined>;
  /** Finds the custom claims that count for a user. */
  readonly findClaims: FindClaims;
  /** Tells whether the user has allowed the application all of these scopes before, and the application has not changed. */
  readonly hasConsent: (user: User, client: ProviderClient, scopes: readonly string[]) => Promise<boolean>;
  /** Tells whether a client may use the metadata document at this address. Undefined if no client may use any. */
  readonly allowsDocument: ((address: string) => boolean) | undefined;
  readonly fetch: FetchFor;
  /** Path of the page on which strangers sign up. Undefined if strangers cannot. */
  readonly signUpPath: string | undefined;
  /** Most seconds that a session may last. */
  readonly sessionSeconds: number;
  /** Called before a browser returns to an application with a code. */
  readonly onSignedIn: (signIn: SignedInApplication) => Promise<void>;
  /** Called when a request is refused. Never fails. */
  readonly onRefused: (refusal: RefusedRequest) => Promise<void>;
  /** Called with the grant type when an application gets tokens. */
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
  /** Undefined if the client is not known. */
  readonly clientName?: string | undefined;
  /** The error code of the protocol. */
  readonly error: string;
  /** The library's error text, for operators. */
  readonly detail: string;
  /** The parameters as they were sent. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Undefined if the reason follows from the other fields. */
  readonly reason?: RefusalReason | undefined;
}
