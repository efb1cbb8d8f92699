import type { Core } from '../../core/core.ts';
import { defineCapability } from '../capability.ts';
import { composeUpstream } from './composition.ts';
import { events } from './events.ts';
import { createIdentities, importedIdentities } from './identities.ts';
import { describeMethodsChanged } from './linking.ts';

/** Signs users in with other providers, and links users of those providers with accounts. */
export const upstream = defineCapability({
  name: 'upstream',
  events,

  features: ({ upstreams }) => ({ upstreams: upstreams.map(({ id, name }) => ({ id, name })) }),

  async make(core: Core, { upstreams }) {
    const { users, baseUrl, database, now } = core;
    const identities = createIdentities(database, now);
    const parts = composeUpstream({ ...core, upstreams, identities, key: await core.loadKey('ceremonies') });
    const { linking, confirming } = parts;
    return {
      parts,
      otherProof: confirming,
      hasOtherSignIn: linking.isLinked,
      listIdentities: async (user) =>
        (await linking.list(user)).map(({ upstream, ...identity }) => ({ ...identity, provider: upstream })),
      listOtherSignIns: async ({ user }) =>
        (await linking.list(user)).flatMap(({ upstream, name }) =>
          upstreams.filter(({ id }) => id === upstream).map((provider) => `${provider.name} (${name})`),
        ),
      imports: importedIdentities,
      mails: { 'sign-in-methods-changed': describeMethodsChanged(users, baseUrl) },
    };
  },

  async addRoutes(app, parts, { features }) {
    (await import('./providers.routes.ts')).addProviders(app, parts);
    if (features.upstreams.length === 0) return;
    (await import('./upstream.routes.ts')).addUpstream(app, parts);
    (await import('./sign-in-methods.routes.ts')).addSignInMethods(app, parts);
  },
});
