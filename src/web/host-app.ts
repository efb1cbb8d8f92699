import type { FastifyPluginAsync } from 'fastify';
import type { User } from '../core/users/user.ts';

/** The plugin for another app. This file holds all of our types that such an app needs. */
export type JanuaPlugin = FastifyPluginAsync;

/** Requirements of a route, besides a session. */
export interface StepUp {
  /** The greatest age of the latest proof of identity, in seconds, minutes or hours, such as `10m`. */
  readonly within?: `${number}${'s' | 'm' | 'h'}`;
  /** The session must have proved a second factor. A passkey is two factors. A trusted browser proves none. */
  readonly with?: 'second-factor';
}

/** The rights of a signed-in request. Our own code sees more fields (`types.ts`) than another app. */
export interface Granted {
  /** The scopes of the user's groups that the credential carries. */
  readonly scopes: readonly string[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The user must be signed in, and is in `request.user`. Other requests are refused before the handler runs. */
    signedIn?: boolean | StepUp;
    /** The scope that the user and the credential must have, such as `reports:read`. A route with a scope is always `signedIn`. */
    scope?: string | undefined;
    /** Whether a personal access token may stand for the user of a `signedIn` route. Default: true. */
    personalTokens?: boolean;
  }

  interface FastifyRequest {
    /** The signed-in user. Reading it on a route that is not `signedIn` is a `TypeError`. */
    readonly user: User;
    /** Undefined on a route that is not `signedIn`. */
    signedIn: Granted | undefined;
  }
}
