import type { Access } from '../../core/access/access.ts';
import { createConfirming } from './confirming.ts';
import type { UpstreamCore } from './events.ts';
import { createLinking } from './linking.ts';
import { createSignIn } from './sign-in.ts';

/** Makes the parts that sign users in with other providers and link their accounts. */
export function composeUpstream(core: UpstreamCore) {
  const upstreamSignIn = createSignIn(core);
  return {
    upstreamSignIn,
    linking: createLinking(core, upstreamSignIn),
    confirming: createConfirming(core, upstreamSignIn),
  };
}

/** The parts for the routes. */
export interface UpstreamParts extends ReturnType<typeof composeUpstream> {
  readonly access: Access;
}
