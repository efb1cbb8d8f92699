import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { SignedIn } from '../../../core/access/access.ts';
import type { Caller } from '../../../core/audit/event.ts';
import type { Account } from '../../../core/users/account.ts';
import type { User } from '../../../core/users/user.ts';
import { endSiteOf } from '../../../ground/text/networks.ts';
import { toClient } from '../clients/clients.ts';
import type { TokenRows } from '../records/records.ts';
import { Provider } from './library.ts';
import type { ProviderOptions } from './options.ts';

/** The request that the provider answers. */
export interface ProviderRequest {
  readonly signedIn: SignedIn | undefined;
  readonly caller: Caller;
}

/** The data of Janua about each request. The library passes on only its own context, which lacks them. */
const requests = new WeakMap<IncomingMessage, ProviderRequest>();

interface Context {
  readonly req: IncomingMessage;
}

export function noteRequest(req: IncomingMessage, request: ProviderRequest): void {
  requests.set(req, request);
}

export const requestOf = ({ req }: Context): ProviderRequest | undefined => requests.get(req);

/** The caller of a page of Janua that uses the library. The library has a context only in requests of the protocol. */
const callers = new AsyncLocalStorage<Caller>();

/** Runs work of the library for a page of Janua. Connections that it makes count for the caller's network. */
export const asCaller = <Result>(caller: Caller, work: () => Result): Result => callers.run(caller, work);

/** Returns the client's network: an IPv4 address or an IPv6 /48. */
export const networkOf = (ctx: Context | undefined): string =>
  endSiteOf((ctx === undefined ? callers.getStore() : requestOf(ctx)?.caller)?.address);

export const signedInOf = (ctx: Context): SignedIn | undefined => requestOf(ctx)?.signedIn;

/** The account that a request has read together with the session of its token, and the subject of the account. */
const read = new WeakMap<object, { readonly subject: string; readonly account: Account }>();

/** Remembers the account, so that the current request need not read it again. */
export function noteAccount(subject: string, account: Account): void {
  if (Provider.ctx !== undefined) read.set(Provider.ctx, { subject, account });
}

/** Finds the account of a subject. Undefined if it is gone or disabled. */
export async function findAccountIn(
  ctx: object,
  subject: string,
  { findAccount }: Pick<ProviderOptions, 'findAccount'>,
) {
  const known = read.get(ctx);
  return known?.subject === subject ? known.account : findAccount(subject);
}

/** The rows that each request has read together with its token. */
const tokens = new WeakMap<object, Promise<TokenRows | undefined>>();

/** Routes whose requests only read. A token request reads each record anew, because another request may have changed it. */
const readingRoutes: ReadonlySet<string | undefined> = new Set(['userinfo', 'introspection']);

/** Reads the token of a request with its grant, client and subject, once. Undefined for requests that change something. */
export function readToken(read: () => Promise<TokenRows | undefined>): Promise<TokenRows | undefined> | undefined {
  const { ctx } = Provider;
  if (ctx === undefined || !readingRoutes.has(ctx.oidc.route)) return undefined;
  const reading = tokens.get(ctx) ?? read();
  tokens.set(ctx, reading);
  return reading;
}

/** Returns the rows that the current request has read with its token. Undefined if it has read none. */
export const readRows = () => (Provider.ctx === undefined ? undefined : tokens.get(Provider.ctx));

/** Finds a client that the request may have read with its token. */
export async function findClientIn(id: string, { findClient }: Pick<ProviderOptions, 'findClient'>) {
  const client = (await readRows())?.client;
  return client?.id === id ? toClient(client) : findClient(id);
}

/** Finds the subject of a user, which the request may have read with its token. */
export async function subjectIn(user: User, { subjectOf }: Pick<ProviderOptions, 'subjectOf'>): Promise<string> {
  const known = (await readRows())?.subject;
  return known?.user_id === user.id ? known.subject : subjectOf(user);
}
