import type { Access } from '../../core/access/access.ts';
import { createConfirming } from './confirming.ts';
import { createLinking } from './linking.ts';
import type { UpstreamOptions } from './options.ts';
import { createSignIn } from './sign-in.ts';

/** Makes the parts that sign users in with other providers and link their accounts. */
export function createUpstreamParts(options: UpstreamOptions) {
  const upstreamSignIn = createSignIn(options);
  return {
    upstreamSignIn,
    linking: createLinking(options, upstreamSignIn),
    confirming: createConfirming(options, upstreamSignIn),
  };
}

/** The parts for the routes. */
export interface UpstreamParts extends ReturnType<typeof createUpstreamParts> {
  readonly access: Access;
}
