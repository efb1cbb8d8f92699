import fastifyPlugin from 'fastify-plugin';
import { Misconfiguration } from './ground/faults/misconfiguration.ts';
import { addSite, type SiteOptions } from './site.ts';
import { createFlow } from './web/flow.ts';
import type { JanuaPlugin } from './web/host-app.ts';
import type { App } from './web/types.ts';

/**
 * The flow as a part of another app. Its hooks, parsers and error handler apply only to its own routes. The app itself gets
 * `signedIn` in its routes, including those added earlier, and `request.user` there.
 * @param onClose runs when the app closes
 */
export function createPlugin(options: SiteOptions, onClose: () => Promise<void>): JanuaPlugin {
  const flow = createFlow(options);

  /** @param options Fastify's own. Fastify ignores its prefix for a plugin that adds to the app itself. */
  async function mount(host: App, { prefix = '' }: { readonly prefix?: string }): Promise<void> {
    const given = host.prefix + prefix;
    if (given !== '')
      throw new Misconfiguration(`Janua's pages link to /auth/… and /api/…: register it without the prefix ${given}.`);
    host.addHook('onClose', onClose);
    addConnectionEnd(host);
    flow.decorate(host);
    await host.register(async (site: App) => {
      flow.addHooks(site);
      flow.addRoutes(site, (own, loginPage) => addSite(own, { ...options, loginPage, showsLoginAtRoot: false }));
    });
    // Added after our own routes, so that it guards only the app's.
    flow.addHostGuard(host);
    closeOutside(host);
  }

  return fastifyPlugin(mount as JanuaPlugin, { name: 'janua', fastify: '5.x' });
}

/** If Janua is registered inside a plugin, its guard misses the routes outside. A `signedIn` route there must fail, not be open. */
function closeOutside(host: App): void {
  let outermost = host;
  for (let outer: App = Object.getPrototypeOf(host); 'addHook' in outer; outer = Object.getPrototypeOf(outer))
    outermost = outer;
  if (outermost === host) return;
  outermost.addHook('onRequest', (request, _reply, done) => {
    const isGuarded = Reflect.has(request, 'presented');
    const { signedIn, scope } = request.routeOptions.config;
    if (isGuarded || (!signedIn && scope === undefined)) return done();
    done(
      new Misconfiguration(
        'This route is `signedIn`, and outside of the plugin in which Janua was registered. Register Janua on the app itself.',
      ),
    );
  });
}

/**
 * Node gives up the connection of an upgrade request, such as for a WebSocket, once the app listens for `upgrade`. If the request
 * gets a response instead, such as a refusal, only Janua closes the connection. An attacker could otherwise use up connections
 * and keep the app from closing.
 */
function addConnectionEnd(host: App): void {
  host.addHook('onResponse', ({ raw }, _reply, done) => {
    if (raw.headers.upgrade !== undefined && host.server.listenerCount('upgrade') > 0) raw.socket.destroySoon();
    done();
  });
}
