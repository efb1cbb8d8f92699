import type { PeerCheck } from '../web/client-address.ts';
import type { App } from '../web/types.ts';
import { addForward } from './forward.routes.ts';
import { createFindTarget } from './forwarded-target.ts';
import { createReturns } from './returns.ts';
import { addVerify, type VerifyParts } from './verify.routes.ts';

export interface ForwardAuthParts extends VerifyParts {
  /** Signs the way back to other hosts. Undefined if no other host is listed. */
  readonly hostKey: Buffer | undefined;
}

export interface ForwardAuthPlace {
  /** Whether the peer of a connection is a trusted proxy. Only its `X-Forwarded-…` headers count. */
  readonly isTrustedPeer: PeerCheck;
  /** Our own origins. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Origins of other hosts. Their proxies ask who is signed in. */
  readonly forwardOrigins: ReadonlySet<string>;
}

/** Signs users in to other applications. The proxy of each application asks Janua first (docs/decisions/0017). */
export function addForwardAuth(app: App, parts: () => ForwardAuthParts, place: ForwardAuthPlace): void {
  const returns = createReturns({ key: () => parts().hostKey, forwardOrigins: place.forwardOrigins });
  addVerify(app, parts, { findTarget: createFindTarget(place), returns, publicOrigins: place.publicOrigins });
  addForward(app, parts, returns);
}
