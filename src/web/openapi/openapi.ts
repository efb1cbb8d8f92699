import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import type { FastifySchema, RouteOptions } from 'fastify';
import { invalidToken, notAuthenticated } from '../../access/access.ts';
import { own, serveFiles } from '../assets.ts';
import { ambiguousCredential } from '../hooks/credentials.ts';
import { formatHeader } from '../hooks/format.ts';
import type { App } from '../types.ts';
import { json, page, problems } from './responses.ts';

/** Swagger UI's files, from a package without install scripts. Its plugin is not used (docs/decisions/0008). */
const swaggerUi = {
  style: fileURLToPath(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui.css')),
  script: fileURLToPath(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js')),
};

/**
 * Serves the OpenAPI 3.1 document at `/openapi.json`, made from the routes' own schemas, and Swagger UI at `/docs`.
 * Must be added before the routes. Every address in the document is relative, so it works under any host name.
 */
export function addDocumentation(app: App, { name, version, sessionCookie }: DocumentationOptions): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: name,
        version,
        description:
          'Signs people in. Every route answers with a page, or with JSON under `/api` and for `x-expected-format: application/json`.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'Sign in', description: 'Logging in and out' },
        { name: 'Who am I', description: 'The one who is signed in' },
        { name: 'Pages', description: 'For people only' },
        { name: 'Forward authentication', description: 'For proxies before other applications' },
        { name: 'Operation', description: 'For those who run the server' },
      ],
      components: {
        securitySchemes: {
          password: {
            type: 'oauth2',
            description: 'An access token, from a username and password',
            flows: { password: { tokenUrl: '/api/login', scopes: {} } },
          },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: sessionCookie,
            description: 'The session cookie, from a login on the pages or here',
          },
        },
      },
    },
    transform: ({ url, route }) => ({ schema: complete(route), url }),
  });
  app.register(async (documented: App) => {
    documented.get(
      '/openapi.json',
      {
        config: { problems: [500] },
        schema: {
          summary: 'This document',
          tags: ['Operation'],
          response: {
            200: json('The OpenAPI document', { type: 'object', additionalProperties: true }, { openapi: '3.1.0' }),
          },
        },
      },
      async () => documented.swagger(),
    );
    documented.get(
      '/docs',
      {
        config: { view: 'web/openapi/docs', pageOnly: true, problems: [500] },
        schema: { summary: 'Swagger UI', tags: ['Operation'], response: { 200: page('Swagger UI') } },
      },
      async () => ({}),
    );
    serveFiles(documented, '/docs', {
      'swagger-ui.css': swaggerUi.style,
      'swagger-ui.js': swaggerUi.script,
      'docs.js': own('docs.js'),
    });
  });
}

/** For users who type the address with a slash. Not added to another app, whose router may treat both addresses as one. */
export function addDocsRedirect(app: App): void {
  app.get('/docs/', { schema: { hide: true } }, (_request, reply) => reply.redirect('/docs', 303));
}

/**
 * Hides our routes from another app's own OpenAPI document. The plugin that makes it sees our routes, but knows neither our
 * security schemes nor our formats. Must be added before the routes. Our own document shows them all the same.
 */
export function hideRoutes(app: App): void {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, documented: route.schema?.hide !== true };
    route.schema = { ...route.schema, hide: true };
  });
}

export interface DocumentationOptions {
  readonly name: string;
  readonly version: string;
  readonly sessionCookie: string;
}

const formatParameter = {
  type: 'object',
  properties: {
    [formatHeader]: {
      type: 'string',
      description: '`application/json` asks for JSON; without it, or with any other value, the answer is a page',
      examples: ['application/json'],
    },
  },
};

/** How a `signedIn` route refuses other requests. */
const signedOutRefusals = [notAuthenticated, invalidToken, ambiguousCredential];

/**
 * Adds what a route's schema leaves out: the operation id, the header outside `/api`, and the problems. Problems also stay out
 * because Fastify would build a serializer for each at start, and the error handler uses none.
 */
function complete({ schema, url, method, config = {} }: RouteOptions): FastifySchema {
  const words = url === '/' ? ['root'] : url.split(/[^a-z]+/i).filter(Boolean);
  const operationId = [String(method).toLowerCase(), ...words].join('_');
  const refusals = [...(config.signedIn ? signedOutRefusals : []), ...(config.refusals ?? [])];
  const both = !url.startsWith('/api/') && schema?.tags?.includes('Operation') === false;
  // Every route can refuse broken HTTP.
  const statuses = [400, ...(config.problems ?? [])];
  const response = { ...(schema?.response as object), ...problems(refusals, statuses, !url.startsWith('/api/')) };
  // An empty list means that no credentials are required. Without a list, the document leaves it open.
  return {
    security: [],
    ...schema,
    hide: !config.documented,
    response,
    operationId,
    ...(both ? { headers: formatParameter } : {}),
  };
}
