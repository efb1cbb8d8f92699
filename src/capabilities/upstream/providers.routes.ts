import { addAction } from '../../web/action.ts';
import { json, listOf, object, text } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import type { UpstreamParts } from './composition.ts';
import { providersView } from './views.ts';

const schema = object('A provider', {
  id: text('google'),
  kind: text('google'),
  name: text('Google'),
  issuer: text('https://accounts.google.com'),
  redirect_uri: text('https://auth.example.com/auth/upstream/google/callback', 'The address to register there'),
  reachable: { type: 'boolean', description: 'Whether Janua can read what the provider says about itself' },
});

/** Adds the page on which administrators see the providers. */
export function addProviders(app: App, parts: () => UpstreamParts): void {
  addAction(app, ['/admin/upstreams', '/api/admin/upstreams'], {
    method: 'GET',
    summary: 'Providers that users can sign in with',
    tag: 'Administration',
    config: { signedIn: true, scope: 'settings:read', view: providersView },
    answer: json('The providers', object('The providers', { upstreams: listOf(schema) })),
    browser: 'The page with the providers',
    async handle() {
      const listed = parts().upstreamSignIn.list();
      const upstreams = listed.map(async ({ provider: { id, kind, name, issuer, check }, redirectUri }) => ({
        id,
        kind,
        name,
        issuer,
        redirect_uri: redirectUri,
        reachable: await check().then(
          () => true,
          () => false,
        ),
      }));
      return { upstreams: await Promise.all(upstreams) };
    },
  });
}
