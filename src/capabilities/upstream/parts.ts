import type { Access } from '../../core/access/access.ts';
import { createConfirming } from './confirming.ts';
import { createLinking } from './linking.ts';
import type { UpstreamOptions } from './options.ts';
import { createSignIn } from './sign-in.ts';

/** Sign-in with other providers, and which of their users are linked with accounts. */
export function createUpstreamParts(options: UpstreamOptions) {
  const upstreamSignIn = createSignIn(options);
  return {
    upstreamSignIn,
    linking: createLinking(options, upstreamSignIn),
    confirming: createConfirming(options, upstreamSignIn),
  };
}

/** What the routes work with. */
export interface UpstreamParts extends ReturnType<typeof createUpstreamParts> {
  readonly access: Access;
}
