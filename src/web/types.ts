import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Presented, SignedIn } from '../access/access.ts';
import type { Answer } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import type { Client } from './client-address.ts';
import type {} from './host-app.ts';

/** What an answer becomes: a page for a person, JSON for a program. */
export type Format = 'html' | 'json';

/** The Fastify instance that every route and hook of this server receives. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  JsonSchemaToTsProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The template, from `src/` on and without its ending, that shows what the handler returns. Without it the answer is JSON in either format. */
    view?: string;
    /** The route's answer is a page also for someone who asked for JSON; its refusals still follow the format. */
    pageOnly?: boolean;
    /** Whether our own OpenAPI document shows the route. */
    documented?: boolean;
    /** Where a browser is led that opens the address of a form, as by Enter in the address bar under an answer to it. */
    openedAt?: string;
    /** Only whoever opens a page in a browser gets one; its scripts and pictures are programs here. */
    pagesWhereOpened?: boolean;
    /** The refusals that the route can answer with, beside those of `signedIn`, for the OpenAPI document. */
    refusals?: readonly Answer[];
    /** Other statuses of problems that it can answer with, for the OpenAPI document. */
    problems?: readonly number[];
  }

  interface FastifyRequest {
    /** The format that was asked for. */
    readonly format: Format;
    /** The credentials that the request carries, proven or not. */
    readonly presented: Presented;
    /** Where the request comes from. */
    readonly client: Client;
    /** Who is asking, for the audit. */
    readonly caller: Caller;
    /** Who is asking, on a route that is `signedIn`. */
    signedIn: SignedIn | undefined;
  }

  interface FastifyReply {
    /** Goes on after an action: a browser is sent to a page (303), a program gets the model. */
    proceed(to: string, model: unknown): FastifyReply;
    setSessionCookie(value: string): FastifyReply;
    /** Ends the browser's session cookie. */
    clearSessionCookie(): FastifyReply;
  }
}

export type Request = FastifyRequest;
