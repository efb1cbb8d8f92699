import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import type { FastifySchema } from 'fastify';
import { formatHeader } from '../hooks/format.ts';
import { own, serveFiles } from '../routes/assets.ts';
import type { App } from '../types.ts';
import { json, problems } from './responses.ts';

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
        { name: 'Operation', description: 'For those who run the server' },
      ],
      components: {
        securitySchemes: {
          password: {
            type: 'oauth2',
            description: 'An access token, from a user name and password',
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
    transform: ({ schema, url, route }) => ({ schema: complete(schema, url, String(route.method)), url }),
  });
  app.register(async (documented: App) => {
    documented.get(
      '/openapi.json',
      {
        schema: {
          summary: 'This document',
          tags: ['Operation'],
          response: {
            200: json('The OpenAPI document', { type: 'object', additionalProperties: true }, { openapi: '3.1.0' }),
            ...problems([], [500]),
          },
        },
      },
      async () => documented.swagger(),
    );
    documented.get('/docs', { config: { view: 'docs', pageOnly: true }, schema: { hide: true } }, async () => ({}));
    serveFiles(documented, '/docs', {
      'swagger-ui.css': swaggerUi.style,
      'swagger-ui.js': swaggerUi.script,
      'docs.js': own('docs.js'),
    });
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

/** Adds what follows from the address alone: a name for the operation, and the header outside `/api`. */
function complete(schema: FastifySchema | undefined, url: string, method: string): FastifySchema {
  const words = url === '/' ? ['root'] : url.split(/[^a-z]+/i).filter(Boolean);
  const operationId = [method.toLowerCase(), ...words].join('_');
  const both = !url.startsWith('/api/') && schema?.tags?.includes('Operation') === false;
  return { ...schema, operationId, ...(both ? { headers: formatParameter } : {}) };
}
