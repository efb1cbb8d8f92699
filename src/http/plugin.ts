import type { RouteOptions } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { Misconfiguration } from '../misconfiguration.ts';
import { createFlow, type FlowOptions } from './flow.ts';
import type { JanuaPlugin, PluginOptions } from './host-app.ts';
import type { App } from './types.ts';

/** The framework's own option, which it does nothing about for a plugin that adds to the app itself. */
type MountOptions = PluginOptions & { readonly prefix?: string };

/**
 * The flow as a part of another app. Its hooks, parsers and error handler are for its own routes alone; what reaches the app are
 * the word `signedIn` in the routes that it adds afterwards, and `request.user` there.
 * @param onClose when the app closes
 */
export function createPlugin(options: FlowOptions, onClose: () => Promise<void>): JanuaPlugin {
  const flow = createFlow(options);

  async function mount(host: App, { earlierRoutesArePublic = false, prefix = '' }: MountOptions): Promise<void> {
    requireNoPrefix(host.prefix + prefix);
    if (!earlierRoutesArePublic) requireNoRoutes(host);
    refuseWordOutside(host);
    host.addHook('onClose', onClose);
    addConnectionEnd(host);
    flow.decorate(host);
    await host.register(async (site: App) => {
      flow.addHooks(site);
      flow.addRoutes(site, { atRoot: false });
    });
    // Now, so that it is for the app's own routes alone.
    flow.addHostGuard(host);
  }

  return fastifyPlugin(mount as JanuaPlugin, { name: 'janua', fastify: '5.x' });
}

/**
 * A plugin's hooks are not in the instances that its own is within, and inherits from: routes that say `signedIn` there, or in
 * another plugin of theirs, would be open.
 */
function refuseWordOutside(host: App): void {
  const refuse = (route: RouteOptions) => {
    if (!route.config?.signedIn) return;
    throw new Misconfiguration(
      `${route.url} is \`signedIn\`, and outside of the plugin in which Janua was registered, so that nothing would guard it.`,
      'Register Janua on the app itself: await app.register(janua.plugin)',
    );
  };
  for (let outer: App = Object.getPrototypeOf(host); 'addHook' in outer; outer = Object.getPrototypeOf(outer))
    outer.addHook('onRoute', refuse);
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

/** The framework shows a route to those alone who came before it: whatever these say of `signedIn`, nothing would guard them. */
function requireNoRoutes(host: App): void {
  const routes = host.printRoutes({ commonPrefix: false });
  if (routes === '(empty tree)') return;
  throw new Misconfiguration(
    'These routes were added before Janua, so that `signedIn` would not guard them:',
    ...routes.trimEnd().split('\n'),
    'Await app.register(janua.plugin) before you add them. Where none of them needs someone signed in, say so:',
    'await app.register(janua.plugin, { earlierRoutesArePublic: true })',
  );
}
