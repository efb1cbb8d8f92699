import type { Core } from '../../core/core.ts';
import { parseForwardHeader } from '../../ground/config/forward-headers.ts';
import { parseForwardRule } from '../../ground/config/forward-rules.ts';
import { originsOf } from '../../ground/config/origin.ts';
import type { Settings } from '../../ground/config/settings.ts';
import { defineCapability } from '../capability.ts';
import { createHostCredentials } from './host-credentials.ts';
import { createReturns } from './returns.ts';
import { createFindBarrier, createSaysRule, createTakesTokens } from './rules.ts';

const originsIn = (settings: Settings) => originsOf(settings.FORWARD_AUTH_ORIGINS);

const rulesIn = (settings: Settings) =>
  settings.FORWARD_AUTH_RULES.map(parseForwardRule).filter((rule) => rule !== undefined);

/** Signs users in to applications behind a proxy. For each request, the proxy asks Janua which user makes it. */
export const forwardAuth = defineCapability({
  name: 'forward-auth',

  async make(core: Core) {
    const { settings, now } = core;
    const origins = originsIn(settings);
    const rules = rulesIn(settings);
    const [findBarrier, takesTokens] = [createFindBarrier(rules), createTakesTokens(rules)];
    const hostKey = origins.size === 0 ? undefined : await core.loadKey('forward-auth');
    return {
      parts: { hostKey, hosts: hostKey && createHostCredentials(hostKey, now) },
      guardedPaths: rules,
      listOpen: async ({ groups }) =>
        [...origins]
          .filter((origin) => findBarrier(origin, '/', groups) === undefined)
          .map((address) => ({ name: new URL(address).host, address })),
      listTokenHosts: ({ groups }) => [...origins].filter((origin) => takesTokens(origin, groups)),
      findApplication: createReturns(origins, () => hostKey).findApplication,
    };
  },

  async addRoutes(app, parts, options) {
    const { settings } = options;
    const forwardOrigins = originsIn(settings);
    const rules = rulesIn(settings);
    const own = {
      ...options,
      forwardOrigins,
      findBarrier: createFindBarrier(rules),
      saysRule: createSaysRule(rules),
      furtherHeaders: settings.FORWARD_AUTH_HEADERS.map(parseForwardHeader).filter((header) => header !== undefined),
      returns: createReturns(forwardOrigins, () => parts().hostKey),
    };
    (await import('./verify.routes.ts')).addVerify(app, parts, own);
    (await import('./forward.routes.ts')).addForward(app, parts, own);
  },
});
