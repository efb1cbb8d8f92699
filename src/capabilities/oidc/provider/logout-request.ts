import type { Provider } from 'oidc-provider';
import type { Caller } from '../../../core/audit/event.ts';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { ProviderClient } from '../clients/library-client.ts';
import { readToken } from '../keys/token-parts.ts';
import { errors } from './library.ts';
import { asCaller } from './requests.ts';

/** The parameters of RP-Initiated Logout 1.0, 2. */
export interface SentLogOut {
  readonly idTokenHint?: string | undefined;
  readonly clientId?: string | undefined;
  readonly address?: string | undefined;
  readonly caller: Caller;
}

/** The fault of the request, by its name in the audit. */
export type LogOutFault = 'logout-hint' | 'unknown-client' | 'logout-address';

export interface AskedLogOut {
  /** The client of the ID token, or else of `client_id`. */
  readonly client: ProviderClient | undefined;
  /** The content of a valid ID token. Undefined without one. */
  readonly hint: LogOutHint | undefined;
  /** The address to which the browser may return. Undefined if there is none. */
  readonly address: string | undefined;
  readonly fault: LogOutFault | undefined;
}

export interface LogOutHint {
  readonly subject: string;
  /** Undefined in tokens of older versions of Janua. */
  readonly sid: string | undefined;
  /** True if the key that signed the token is no longer published. */
  readonly isRetired: boolean;
}

type Client = InstanceType<Provider['Client']>;

/** Reads a logout request of an application. A fault is returned and not thrown, because the user may log out all the same. */
export function createReadLogOut(provider: Provider) {
  /** Undefined also if the client's metadata document cannot be read. */
  async function findClient(clientId: string): Promise<Client | undefined> {
    try {
      return await provider.Client.find(clientId);
    } catch (error) {
      if (error instanceof errors.OIDCProviderError) return undefined;
      throw error;
    }
  }

  /** Reads an ID token of a client, however old it is. Undefined for any other text. */
  async function readHint(token: string, client: Client): Promise<LogOutHint | undefined> {
    try {
      const read: Validated = await provider.IdToken.validate(token, client);
      const { sub, sid } = read.payload;
      return {
        subject: String(sub),
        sid: typeof sid === 'string' ? sid : undefined,
        isRetired: read.isRetired ?? false,
      };
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      return undefined;
    }
  }

  /** Finds the client of a request, and reads its ID token. */
  async function readOrigin({ idTokenHint, clientId, caller }: SentLogOut): Promise<Omit<AskedLogOut, 'address'>> {
    // The audience of the token names the client. It is read before the token is verified, because the verification needs the client.
    const named = idTokenHint === undefined ? clientId : readToken(idTokenHint).payload?.aud;
    const client = typeof named === 'string' ? await asCaller(caller, () => findClient(named)) : undefined;
    const hint = idTokenHint === undefined || client === undefined ? undefined : await readHint(idTokenHint, client);
    const isOther = clientId !== undefined && clientId !== client?.clientId;
    if (idTokenHint === undefined) return { client, hint, fault: isOther ? 'unknown-client' : undefined };
    return hint === undefined || isOther
      ? { client, hint: undefined, fault: 'logout-hint' }
      : { client, hint, fault: undefined };
  }

  return async (sent: SentLogOut): Promise<AskedLogOut> => {
    const origin = await readOrigin(sent);
    const { address } = sent;
    if (origin.fault !== undefined || address === undefined) return { ...origin, address: undefined };
    const client = origin.client as Client | undefined;
    return client?.postLogoutRedirectUriAllowed(address)
      ? { ...origin, address }
      : { ...origin, address: undefined, fault: 'logout-address' };
  };
}

/** `readRetiredHint` sets `isRetired`. */
interface Validated {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly isRetired?: boolean;
}
