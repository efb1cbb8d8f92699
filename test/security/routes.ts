import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RouteOptions } from 'fastify';
import type { App } from '../../src/web/types.ts';
import { startJanua, type TestJanua, type TestOptions } from '../janua.ts';

export interface Route extends Pick<RouteOptions, 'url'> {
  readonly config: RouteOptions['config'] | undefined;
  readonly method: string;
  readonly name: string;
}

/** Starts a server, and gives every route that it adds. */
export async function startWithRoutes(options: TestOptions): Promise<{ janua: TestJanua; routes: Route[] }> {
  const routes: Route[] = [];
  function collect(message: unknown): void {
    (message as { fastify: App }).fastify.addHook('onRoute', ({ method, url, config }) => {
      for (const one of [method].flat()) {
        // The app that contains Janua adds HEAD to each GET.
        if (one !== 'HEAD') routes.push({ method: one, url, config, name: `${one} ${url}` });
      }
    });
  }
  subscribe('fastify.initialization', collect);
  try {
    return { janua: await startJanua(options), routes };
  } finally {
    unsubscribe('fastify.initialization', collect);
  }
}
