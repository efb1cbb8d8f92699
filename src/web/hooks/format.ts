import type { FastifyReply, FastifyRequest } from 'fastify';
import { withoutBlanks } from '../field-value.ts';
import { decodedPath } from '../request-target.ts';
import type { App, Format } from '../types.ts';
import type { View } from '../view.ts';

/**
 * Renders the answer of a handler as a page. Only the route of the page knows the type of its answer, and `addAction` checks the handler by
 * it.
 */
export type RenderPage = (view: View, answer: object, request: FastifyRequest) => string;

export const formatHeader = 'x-expected-format';

export function decorateFormat(app: App): void {
  app.decorateRequest('format', {
    getter() {
      return formatOf(this);
    },
  });
  app.decorateReply('proceed', function (to, model) {
    return this.request.format === 'html' ? this.redirect(to, 303) : this.send(model);
  });
}

export function addFormats(app: App, render: RenderPage): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!isUnderApi(request)) reply.header('vary', formatHeader);
    done();
  });

  // Runs last before the handler. The error handler answers requests that are refused earlier.
  app.addHook('preHandler', (request, reply, done) => {
    const { view, pageOnly } = request.routeOptions.config;
    if (view !== undefined && (pageOnly || request.format === 'html')) {
      reply.type('text/html; charset=utf-8').serializer((model: object) => {
        const text = render(view, model, request);
        describePage(request, reply);
        return text;
      });
    }
    done();
  });
}

/**
 * Adds the headers of a page in the language of the request. A route that has set `Content-Language` itself has its page in that language
 * only.
 */
export function describePage(request: FastifyRequest, reply: FastifyReply): void {
  if (reply.hasHeader('content-language')) return;
  reply.header('content-language', request.language);
  reply.header('vary', [reply.getHeader('vary'), 'Accept-Language', 'Cookie'].filter(Boolean).join(', '));
}

/**
 * JSON if the header or the path requests it. `Accept` matters only on routes with `pagesWhereOpened`, which proxies call for other
 * applications.
 */
export function formatOf(request: FastifyRequest): Format {
  if (isUnderApi(request) || asksForJson(request.headers[formatHeader]?.toString())) return 'json';
  return request.routeOptions.config?.pagesWhereOpened && !opensPage(request) ? 'json' : 'html';
}

/** Browsers send `Sec-Fetch-Mode` since 2023. Older ones accept HTML. */
function opensPage({ headers }: FastifyRequest): boolean {
  const mode = headers['sec-fetch-mode'];
  return mode === undefined ? /\btext\/html\b/i.test(headers.accept ?? '') : mode === 'navigate';
}

/** Media types are compared without case and parameters (RFC 9110 8.3.1). */
function asksForJson(value = ''): boolean {
  const [type = ''] = value.split(';', 1);
  return withoutBlanks(type).toLowerCase() === 'application/json';
}

/** Checks the route, which the router found by the decoded path. Without a route, checks the decoded path itself. */
function isUnderApi(request: FastifyRequest): boolean {
  return (request.routeOptions.url ?? decodedPath(request.url)).startsWith('/api/');
}
