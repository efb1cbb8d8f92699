// The limit of the library: `oidc-provider` alone, with its store in memory, and a user who is signed in without a password.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Application, redirectUri } from '../application-settings.ts';
import { offer } from './child.ts';
import { usage, usageAtRest } from './server-tasks.ts';

// It says on standard error that it is not tested on this version of Node.
console.warn = () => {};
const { Provider } = await import('oidc-provider');

const client: Pick<Application, 'clientId' | 'secret'> = { clientId: 'application', secret: 'secret-of-the-bench' };
const server = createServer().listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
// Between its turns the client sends nothing, and keeps its connections.
server.keepAliveTimeout = 0;
const { port } = server.address() as AddressInfo;

const jwks = {
  keys: [
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ],
};
const provider = new Provider(`http://localhost:${port}`, {
  jwks,
  clients: [
    {
      client_id: client.clientId,
      client_secret: client.secret,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  ],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['key-of-the-bench'] },
  routes: { authorization: '/oidc/auth', token: '/oidc/token' },
  features: { devInteractions: { enabled: false } },
  interactions: { url: () => '/oidc/interaction' },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  findAccount: (_ctx, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, name: 'Ann Archer', email: 'ann@example.com' }),
  }),
  async loadExistingGrant({ oidc: { session, client } }) {
    const clientId = client?.clientId ?? '';
    const given = session?.grantIdFor(clientId);
    if (given !== undefined) return provider.Grant.find(given);
    const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId });
    grant.addOIDCScope('openid profile email');
    session?.grantIdFor(clientId, await grant.save());
    return grant;
  },
});
const answer = provider.callback();
server.on('request', (request, response) => {
  if (!request.url?.startsWith('/oidc/interaction')) return answer(request, response);
  return provider.interactionFinished(request, response, { login: { accountId: 'ann' } });
});

offer({ port: async () => port, client: () => client, usage, usageAtRest });
