import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import type { FastifySchema, RouteOptions } from 'fastify';
import { invalidToken, notAuthenticated } from '../../core/access/access.ts';
import { changeRefusals } from '../../core/access/change-refusals.ts';
import { insufficientUserAuthentication, noSecondFactor } from '../../core/access/fresh-proof.ts';
import type { Answer } from '../../core/access/refusal.ts';
import { insufficientScope, limitedToken } from '../../core/access/scope.ts';
import { ownScopes } from '../../core/users/scopes.ts';
import { assetPath, serveFiles } from '../assets.ts';
import { sessionCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import { ambiguousCredential } from '../hooks/credentials.ts';
import { crossSite } from '../hooks/cross-site.ts';
import { formatHeader } from '../hooks/format.ts';
import { createStaticBody, type StaticBody, sendStaticBody } from '../static-body.ts';
import type { App } from '../types.ts';
import { view } from '../view.ts';
import { json, page, problemSchema, problems, redirect, settingCookies } from './responses.ts';

/**
 * Serves the OpenAPI 3.1 document at `/openapi.json`, made from the routes' own schemas, and Swagger UI at `/docs`.
 * Must be added before the routes. Every address in the document is relative, so it works under any host name.
 */
export function addDocumentation(
  app: App,
  {
    appName,
    version,
    https,
    applicationScopes,
  }: Pick<FlowOptions, 'appName' | 'version' | 'https' | 'applicationScopes'>,
): void {
  const scopes = {
    ...ownScopes,
    ...Object.fromEntries(applicationScopes.map((scope) => [scope, 'Of an application'])),
  };
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: appName,
        version,
        description:
          'Signs users in. Every route answers with a page, or with JSON under `/api` and for `x-expected-format: application/json`.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'Sign in', description: 'Login and logout' },
        { name: 'Who am I', description: 'The signed-in user' },
        { name: 'Account', description: 'Accounts, as their users manage them' },
        { name: 'Second factors', description: 'Passkeys, authenticator apps and recovery codes' },
        { name: 'Administration', description: 'For administrators' },
        { name: 'Pages', description: 'For browsers only' },
        { name: 'OpenID Connect', description: 'For applications that sign their users in here' },
        { name: 'Forward authentication', description: 'For proxies in front of other applications' },
        { name: 'Demo', description: 'In the demo only' },
        { name: 'Operation', description: 'For operators' },
      ],
      components: {
        schemas: { Problem: problemSchema as { type: 'object' } },
        securitySchemes: {
          password: {
            type: 'oauth2',
            description: 'An access token, from a username and password',
            flows: { password: { tokenUrl: '/api/login', scopes } },
          },
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'A personal access token, from `/account/tokens`',
          },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: sessionCookie(https).name,
            description: 'The session cookie, from a login on the pages or here',
          },
        },
      },
    },
    transform: ({ url, route }) => ({ schema: complete(route), url }),
  });
  app.register(async (documented: App) => {
    /** Made at the first request, when all routes are known. Each further request costs next to nothing. */
    let document: StaticBody | undefined;
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
      async (request, reply) => {
        document ??= createStaticBody(
          Buffer.from(JSON.stringify(documented.swagger())),
          'application/json; charset=utf-8',
        );
        return sendStaticBody(request, reply, document, 'no-cache');
      },
    );
    documented.get(
      '/docs',
      {
        config: { view: view('web/openapi/docs'), pageOnly: true, problems: [500] },
        schema: { summary: 'Swagger UI', tags: ['Operation'], response: { 200: page('Swagger UI') } },
      },
      async (_request, reply) => {
        reply.header('content-language', 'en');
        return {};
      },
    );
    // Swagger UI comes from a package without install scripts. Its plugin is not used (docs/decisions/0008).
    serveFiles(documented, '/docs', {
      'swagger-ui.css': fileURLToPath(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui.css')),
      'swagger-ui.js': fileURLToPath(import.meta.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js')),
      'docs.js': assetPath('docs.js'),
    });
  });
}

/**
 * For users who type the address with a slash. Not added to an app that has mounted Janua, whose router may treat both addresses as one.
 */
export function addDocsRedirect(app: App): void {
  app.get('/docs/', { schema: { hide: true } }, (_request, reply) => reply.redirect('/docs', 303));
}

/**
 * Hides our routes from the OpenAPI document of an app that has mounted Janua. The plugin that makes it sees our routes, but knows neither
 * our security schemes nor our formats. Must be added before the routes. Our own document shows them all the same.
 */
export function hideRoutes(app: App): void {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, documented: route.schema?.hide !== true };
    route.schema = { ...route.schema, hide: true };
  });
}

const formatParameter = {
  type: 'object',
  properties: {
    [formatHeader]: {
      type: 'string',
      description: '`application/json` requests JSON. Otherwise the response is a page',
      examples: ['application/json'],
    },
  },
};

const toLogin = settingCookies(redirect('Pages: to the login page, if the user is not signed in'));

/**
 * Adds what a route's schema leaves out: the operation id, the header outside `/api`, and the problems. The schema of a route leaves out
 * the problems also because Fastify would build a serializer for each at start, and the error handler uses none.
 */
function complete({ schema, url, method, config = {} }: RouteOptions): FastifySchema {
  const words = url === '/' ? ['root'] : url.split(/[^a-z]+/i).filter(Boolean);
  const operationId = [String(method).toLowerCase(), ...words].join('_');
  const refusals: Answer[] = [
    ...(config.signedIn ? [notAuthenticated, invalidToken, ambiguousCredential] : []),
    ...(typeof config.signedIn === 'object' ? [insufficientUserAuthentication, noSecondFactor] : []),
    ...(config.scope === undefined ? [] : [insufficientScope]),
    ...(config.refusesLimited ? [limitedToken] : []),
    ...(config.signedIn && method === 'POST' ? [changeRefusals['too-many-changes']] : []),
    ...(config.refusals ?? []),
    ...(method === 'POST' && !config.anySite ? [crossSite] : []),
  ];
  const isPage = !url.startsWith('/api/');
  const both = isPage && !schema?.tags?.some((tag) => ['Operation', 'OpenID Connect'].includes(tag));
  // Every route can refuse broken HTTP, and a body that is too large or of another kind.
  const statuses = [400, ...(method === 'POST' ? [413, 415] : []), ...(config.problems ?? [500, 503])];
  const response = {
    ...(isPage && refusals.some(({ loginPage }) => loginPage && !loginPage.inPlace) && { 303: toLogin }),
    ...(schema?.response as object),
    ...problems(refusals, statuses, url, isPage),
  };
  const credentials =
    config.signedIn || config.takesCredentials
      ? [
          { session: [] },
          { password: config.scope ? [config.scope] : [] },
          ...(config.refusesLimited ? [] : [{ token: [] }]),
        ]
      : [];
  return {
    // In OpenAPI, an empty list means that no credentials are required, and an empty member `{}` that they are optional. Without a list,
    // the document says neither.
    security: config.takesCredentials === 'optional' ? [{}, ...credentials] : credentials,
    ...schema,
    hide: !config.documented,
    response,
    operationId,
    ...(both ? { headers: formatParameter } : {}),
  };
}
