import createError from '@fastify/error';
import FindMyWay from 'find-my-way';
import { rawPath } from '../request-target.ts';
import type { App } from '../types.ts';

const NotFound = createError('JANUA_NOT_FOUND', 'There is nothing at this address', 404);
const MethodNotAllowed = createError('JANUA_METHOD_NOT_ALLOWED', 'This address does not take that method', 405);

interface KnownPath {
  readonly methods: Set<string>;
  /** Redirect target for a browser that opens the path, if no route takes GET. */
  openedAt?: string | undefined;
}

/** Answers 404, or names the allowed methods (RFC 9110 9.3.7, 15.5.6). Must be added before the routes. */
export function addMethodRules(app: App): void {
  // A second router of Fastify's kind, with paths only. It finds a path for any method.
  const paths = FindMyWay();

  app.addHook('onRoute', ({ url, method, config }) => {
    const path: KnownPath = paths.findRoute('GET', url)?.store ?? { methods: new Set() };
    if (path.methods.size === 0) paths.on('GET', url, () => {}, path);
    for (const name of [method].flat()) path.methods.add(name);
    path.openedAt ??= config?.openedAt;
    if (path.methods.has('GET')) path.methods.add('HEAD');
  });

  app.setNotFoundHandler(() => {
    throw new NotFound();
  });

  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    const path: KnownPath | undefined = paths.find('GET', rawPath(request.url))?.store;
    // The router refuses a target with another scheme. The answer is then 404, whatever the path.
    if (path === undefined || path.methods.has(request.method)) return done(new NotFound());
    const { methods, openedAt } = path;
    if (openedAt !== undefined && request.format === 'html' && ['GET', 'HEAD'].includes(request.method))
      return void reply.redirect(openedAt, 303);
    reply.header('allow', [...[...methods].sort(), 'OPTIONS'].join(', '));
    if (request.method !== 'OPTIONS') return done(new MethodNotAllowed());
    reply.code(204).send();
  });
}
