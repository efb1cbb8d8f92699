import { header, page, type Response } from './openapi/responses.ts';
import { originForm } from './request-target.ts';
import type { Reply, Request } from './types.ts';
import { view } from './view.ts';

export interface Leaving {
  readonly target: string;
  /** The name of the site for the user. */
  readonly origin: string;
  readonly path: string;
}

declare module './view.ts' {
  interface Pages {
    'web/leave': Leaving;
  }
}

export const leaveView = view('web/leave');

/** The page of `leave`, for the OpenAPI document. */
export const leavePage = (description: string): Response => ({
  ...page(description),
  headers: header('Refresh', 'At once, to where the page leads'),
});

/**
 * Sends a browser to another site. The `form-action` of the Content-Security-Policy limits forms and their redirects to our own pages. So
 * after one of our forms, the browser gets a page of ours, which leads on by itself. The route must have `leaveView`.
 */
export function leave(request: Request, reply: Reply, target: string): Leaving | Reply {
  if (request.headers['sec-fetch-site'] !== 'same-origin') return reply.redirect(target, 303);
  reply.header('refresh', `0; url=${target}`);
  const { host, protocol } = new URL(target);
  return { target, origin: host === '' ? protocol : new URL(target).origin, path: originForm(request.url) };
}
