import type { FastifyRequest } from 'fastify';
import { withoutBlanks } from '../field-value.ts';
import type { Pages } from '../pages.ts';
import { decodedPath } from '../request-target.ts';
import type { App, Format } from '../types.ts';

export const formatHeader = 'x-expected-format';

/** Lets a request tell whether its answer is a page or JSON. */
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

/** Answers each request with a page or with JSON, so that no handler has to ask. */
export function addFormats(app: App, pages: Pages): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!isUnderApi(request)) reply.header('vary', formatHeader);
    done();
  });

  // Last before the handler: what is refused earlier is answered by the error handler instead.
  app.addHook('preHandler', (request, reply, done) => {
    const { view, pageOnly } = request.routeOptions.config;
    if (view !== undefined && (pageOnly || request.format === 'html')) {
      reply.type('text/html; charset=utf-8').serializer((model: object) => pages.render(view, model));
    }
    done();
  });
}

/**
 * JSON is for those who ask by the header or by the path, HTML for all others. `Accept` decides nothing, but for whoever asks about
 * a page of another application.
 */
export function formatOf(request: FastifyRequest): Format {
  if (isUnderApi(request) || asksForJson(request.headers[formatHeader])) return 'json';
  return request.routeOptions.config?.pagesWhereOpened && !opensPage(request) ? 'json' : 'html';
}

/** Browsers say so since 2023; older ones ask for HTML. */
function opensPage({ headers }: FastifyRequest): boolean {
  const mode = headers['sec-fetch-mode'];
  return mode === undefined ? /\btext\/html\b/i.test(headers.accept ?? '') : mode === 'navigate';
}

/** Compared as media types are: without case and without parameters (RFC 9110 8.3.1). */
function asksForJson(value: string | string[] | undefined): boolean {
  if (typeof value !== 'string') return false;
  const [type = ''] = value.split(';', 1);
  return withoutBlanks(type).toLowerCase() === 'application/json';
}

/** Goes by the route, which the router found by the decoded path; where it found none, by the decoded path itself. */
function isUnderApi(request: FastifyRequest): boolean {
  return (request.routeOptions.url ?? decodedPath(request.url)).startsWith('/api/');
}
