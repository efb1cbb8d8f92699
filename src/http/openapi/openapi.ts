import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySchema } from 'fastify';
import Type from 'typebox';
import { formatHeader } from '../hooks/format.ts';
import { widenedPolicy } from '../hooks/security-headers.ts';
import type { App } from '../types.ts';
import { json, problems } from './responses.ts';

/** The one `<style>` that Swagger UI adds, in the picture of its top bar, by its hash: `unsafe-inline` is not needed for it. */
const swaggerStyle = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='";

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
      servers: [{ url: '/' }],
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
  app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: '',
    uiConfig: { url: '/openapi.json', validatorUrl: null, persistAuthorization: false, docExpansion: 'list' } as object,
    theme: { title: `${name} API` },
    staticCSP: widenedPolicy('style-src', swaggerStyle),
  });
  app.register(async (documented: App) => {
    documented.get(
      '/openapi.json',
      {
        schema: {
          summary: 'This document',
          tags: ['Operation'],
          response: {
            200: json('The OpenAPI document', Type.Object({}, { additionalProperties: true }), { openapi: '3.1.0' }),
            ...problems([], [500]),
          },
        },
      },
      async () => documented.swagger(),
    );
  });
}

export interface DocumentationOptions {
  readonly name: string;
  readonly version: string;
  readonly sessionCookie: string;
}

const formatParameter = Type.Object({
  [formatHeader]: Type.Optional(
    Type.String({
      description: '`application/json` asks for JSON; without it, or with any other value, the answer is a page',
      examples: ['application/json'],
    }),
  ),
});

/** Adds what follows from the address alone: a name for the operation, and the header outside `/api`. */
function complete(schema: FastifySchema | undefined, url: string, method: string): FastifySchema {
  const words = url === '/' ? ['root'] : url.split(/[^a-z]+/i).filter(Boolean);
  const operationId = [method.toLowerCase(), ...words].join('_');
  const both = !url.startsWith('/api/') && schema?.tags?.includes('Operation') === false;
  return { ...schema, operationId, ...(both ? { headers: formatParameter } : {}) };
}
