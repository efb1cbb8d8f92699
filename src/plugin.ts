import fastifyPlugin from 'fastify-plugin';
import { Misconfiguration } from './ground/faults/misconfiguration.ts';
import { addSite, type SiteOptions } from './site.ts';
import { createFlow } from './web/flow.ts';
import type { JanuaPlugin } from './web/host-app.ts';
import type { App } from './web/types.ts';

/**
 * Creates the Fastify plugin that adds Janua to another app. Its hooks, parsers and error handler apply only to Janua's routes.
 * The app's routes, including those added earlier, can set `signedIn` in their `config`, and then have `request.user`.
 * @param onClose runs when the app closes
 */
export function createPlugin(options: SiteOptions, onClose: () => Promise<void>): JanuaPlugin {
  const flow = createFlow(options);

  /** @param options of Fastify's `register`. Fastify ignores `prefix` for a plugin of `fastifyPlugin`, which adds to the app itself. */
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
    // Added last. For our own routes, the site's own guard runs before this one, which then has nothing to check.
    flow.addHostGuard(host);
    closeOutside(host);
  }

  return fastifyPlugin(mount as JanuaPlugin, { name: 'janua', fastify: '5.x' });
}

/**
 * If Janua is registered inside a plugin of the app, its guard does not cover routes outside of that plugin. A `signedIn` route
 * outside must fail, because it would be open to everybody.
 */
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
 * Once the app listens for `upgrade`, Node no longer closes the connection of an upgrade request, such as one for a WebSocket. If
 * the request gets a response instead, such as a refusal, only this hook closes the connection. An attacker could otherwise use up
 * connections and keep the app from closing.
 */
function addConnectionEnd(host: App): void {
  host.addHook('onResponse', ({ raw }, _reply, done) => {
    if (raw.headers.upgrade !== undefined && host.server.listenerCount('upgrade') > 0) raw.socket.destroySoon();
    done();
  });
}
