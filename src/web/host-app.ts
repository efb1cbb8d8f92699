import type { FastifyPluginAsync } from 'fastify';
import type { User } from '../users/user.ts';

/** What an app gets that the flow is a part of. All that it needs to know of our types is here. */
export type JanuaPlugin = FastifyPluginAsync;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route needs someone signed in, found in `request.user`; others are refused before the handler runs. */
    signedIn?: boolean;
  }

  interface FastifyRequest {
    /** Who is signed in. Reading it on a route that is not `signedIn` is a `TypeError`. */
    readonly user: User;
  }
}
