import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import type { FastifySchema, RouteOptions } from 'fastify';
import { invalidToken, notAuthenticated } from '../../access/access.ts';
import { own, serveFiles } from '../assets.ts';
import { ambiguousCredential } from '../hooks/credentials.ts';
import { formatHeader } from '../hooks/format.ts';
import type { App } from '../types.ts';
import { json, page, problems } from './responses.ts';

/** Swagger UI itself, from the package that brings it without install scripts; its plugin is not used (docs/decisions/0008). */
const swaggerUi = {
  style: fileURLToPath(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui.css')),
  script: fileURLToPath(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js')),
};

/**
 * The OpenAPI 3.1 document at `/openapi.json`, made from the routes' own schemas, and Swagger UI at `/docs`.
 * Must be added before the routes. Every address in it is relative, so that it holds under any host name.
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

/** For who types the address with a slash. Not in another app, whose router may take the two for one. */
export function addDocsRedirect(app: App): void {
  app.get('/docs/', { schema: { hide: true } }, (_request, reply) => reply.redirect('/docs', 303));
}

/**
 * Keeps our routes out of the document that another app may make of its own, whose plugin sees them too and knows neither our
 * security schemes nor our formats. Must be added before them; ours shows them all the same.
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

/** What a route that needs someone signed in answers to others. */
const signedOutRefusals = [notAuthenticated, invalidToken, ambiguousCredential];

/**
 * Adds what need not stand in a route's schema: a name for the operation, the header outside `/api`, and the problems. These
 * are kept from the schema also because Fastify would build a serializer for each at start, and the error handler uses none.
 */
function complete({ schema, url, method, config = {} }: RouteOptions): FastifySchema {
  const words = url === '/' ? ['root'] : url.split(/[^a-z]+/i).filter(Boolean);
  const operationId = [String(method).toLowerCase(), ...words].join('_');
  const refusals = [...(config.signedIn ? signedOutRefusals : []), ...(config.refusals ?? [])];
  const both = !url.startsWith('/api/') && schema?.tags?.includes('Operation') === false;
  // Broken HTTP is refused whatever the route.
  const statuses = [400, ...(config.problems ?? [])];
  const response = { ...(schema?.response as object), ...problems(refusals, statuses, !url.startsWith('/api/')) };
  // An empty list says that anyone may ask; without one, the document leaves it open.
  return {
    security: [],
    ...schema,
    hide: !config.documented,
    response,
    operationId,
    ...(both ? { headers: formatParameter } : {}),
  };
}
