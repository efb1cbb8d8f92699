import type { FastifyPluginAsync } from 'fastify';
import type { User } from '../users/user.ts';

/** The plugin for another app. This file holds all of our types that such an app needs. */
export type JanuaPlugin = FastifyPluginAsync;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The user must be signed in, and is in `request.user`. Other requests are refused before the handler runs. */
    signedIn?: boolean;
  }

  interface FastifyRequest {
    /** The signed-in user. Reading it on a route that is not `signedIn` is a `TypeError`. */
    readonly user: User;
  }
}
