import fastifyPlugin from 'fastify-plugin';
import { Misconfiguration } from './faults/misconfiguration.ts';
import { addSite, type SiteOptions } from './site.ts';
import { createFlow } from './web/flow.ts';
import type { JanuaPlugin } from './web/host-app.ts';
import type { App } from './web/types.ts';

/**
 * The flow as a part of another app. Its hooks, parsers and error handler are for its own routes alone; what reaches the app are
 * the word `signedIn` in its routes, whenever they were added, and `request.user` there.
 * @param onClose when the app closes
 */
export function createPlugin(options: SiteOptions, onClose: () => Promise<void>): JanuaPlugin {
  const flow = createFlow(options);

  /** @param options the framework's own, about which it does nothing for a plugin that adds to the app itself */
  async function mount(host: App, { prefix = '' }: { readonly prefix?: string }): Promise<void> {
    requireNoPrefix(host.prefix + prefix);
    host.addHook('onClose', onClose);
    addConnectionEnd(host);
    flow.decorate(host);
    await host.register(async (site: App) => {
      flow.addHooks(site);
      flow.addRoutes(site, (own) => addSite(own, options.parts, { ...options, atRoot: false }));
    });
    // Now, so that it is for the app's own routes alone.
    flow.addHostGuard(host);
    closeOutside(host);
  }

  return fastifyPlugin(mount as JanuaPlugin, { name: 'janua', fastify: '5.x' });
}

/** Within a plugin of the app, nothing of ours reaches the routes outside of that. What says `signedIn` there must not be open. */
function closeOutside(host: App): void {
  let outermost = host;
  for (let outer: App = Object.getPrototypeOf(host); 'addHook' in outer; outer = Object.getPrototypeOf(outer))
    outermost = outer;
  if (outermost === host) return;
  outermost.addHook('onRequest', (request, _reply, done) => {
    const isGuarded = Reflect.has(request, 'presented');
    if (isGuarded || !request.routeOptions.config.signedIn) return done();
    done(
      new Misconfiguration(
        'This route is `signedIn`, and outside of the plugin in which Janua was registered. Register Janua on the app itself.',
      ),
    );
  });
}

/**
 * A connection that is to become another, as a WebSocket, is the HTTP server's no more once something listens for that. Where it is
 * answered instead, as by a refusal, nothing else may let go of it: whoever keeps it would use them up, and hinder the app's closing.
 */
function addConnectionEnd(host: App): void {
  host.addHook('onResponse', ({ raw }, _reply, done) => {
    if (raw.headers.upgrade !== undefined && host.server.listenerCount('upgrade') > 0) raw.socket.destroySoon();
    done();
  });
}

function requireNoPrefix(prefix: string): void {
  if (prefix === '') return;
  throw new Misconfiguration(`Janua's pages link to /auth/… and /api/…: register it without the prefix ${prefix}.`);
}
