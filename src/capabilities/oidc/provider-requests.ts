import type { IncomingMessage } from 'node:http';
import type { SignedIn } from '../../core/access/access.ts';
import type { Caller } from '../../core/audit/event.ts';

/** The request that the provider answers. */
export interface ProviderRequest {
  readonly signedIn: SignedIn | undefined;
  readonly caller: Caller;
}

/** The library hands its own context on, which knows nothing of ours. */
const requests = new WeakMap<IncomingMessage, ProviderRequest>();

interface Context {
  readonly req: IncomingMessage;
}

export function noteRequest(req: IncomingMessage, request: ProviderRequest): void {
  requests.set(req, request);
}

export const requestOf = ({ req }: Context): ProviderRequest | undefined => requests.get(req);

export const signedInOf = (ctx: Context): SignedIn | undefined => requestOf(ctx)?.signedIn;
