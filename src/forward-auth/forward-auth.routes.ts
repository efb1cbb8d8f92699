import type { PeerCheck } from '../web/client-address.ts';
import type { App } from '../web/types.ts';
import { addForward } from './forward.routes.ts';
import { createFindTarget } from './forwarded-target.ts';
import { createReturns } from './returns.ts';
import { addVerify, type VerifyParts } from './verify.routes.ts';

export interface ForwardAuthParts extends VerifyParts {
  /** Signs the ways back to other hosts. Undefined where there are none. */
  readonly hostKey: Buffer | undefined;
}

export interface ForwardAuthPlace {
  /** Whether the other end of a connection is one of our proxies, whose word on what was asked for counts. */
  readonly isTrustedPeer: PeerCheck;
  /** Our own origins. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Of other hosts, whose proxies ask who is signed in. */
  readonly forwardOrigins: ReadonlySet<string>;
}

/** Signs people in for other applications, whose proxy asks here first (docs/decisions/0017). */
export function addForwardAuth(app: App, parts: () => ForwardAuthParts, place: ForwardAuthPlace): void {
  const returns = createReturns({ key: () => parts().hostKey, forwardOrigins: place.forwardOrigins });
  addVerify(app, parts, { findTarget: createFindTarget(place), returns, publicOrigins: place.publicOrigins });
  addForward(app, parts, returns);
}
