// The limit of the library: `oidc-provider` alone, with its store in memory, and a user who is signed in without a password.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

// It says on standard error that it is not tested on this version of Node.
console.warn = () => {};
const { Provider } = await import('oidc-provider');

const { PORT, CLIENT_ID = '', CLIENT_SECRET = '', REDIRECT_URI = '' } = process.env;

const jwks = {
  keys: [
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ],
};
const provider = new Provider(`http://localhost:${PORT}`, {
  jwks,
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  ],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['key-of-the-bench'] },
  routes: {
    authorization: '/oidc/auth',
    token: '/oidc/token',
    userinfo: '/oidc/userinfo',
    introspection: '/oidc/introspection',
  },
  features: { devInteractions: { enabled: false }, introspection: { enabled: true, allowedPolicy: async () => true } },
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
const server = createServer((request, response) => {
  if (request.url === '/health') return response.setHeader('Content-Length', 0).end();
  if (!request.url?.startsWith('/oidc/interaction')) return answer(request, response);
  return provider.interactionFinished(request, response, { login: { accountId: 'ann' } });
});
// Between its turns the client sends nothing, and keeps its connections.
server.keepAliveTimeout = 0;
server.listen(Number(PORT), '127.0.0.1');
