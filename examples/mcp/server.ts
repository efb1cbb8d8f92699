/** An MCP server that lets in users of Janua. docs/mcp.md says how to run it. */
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { OAuthMetadataSchema } from '@modelcontextprotocol/sdk/shared/auth.js';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';

const { ISSUER = '', RESOURCE = '', PORT = '3000', CLIENT_ID, CLIENT_SECRET, API } = process.env;

const resource = new URL(RESOURCE);
const metadata = OAuthMetadataSchema.parse(
  await (await fetch(new URL('/.well-known/oauth-authorization-server', ISSUER))).json(),
);

// A token that is signed is checked here. The keys are fetched once in a while.
const keys = createRemoteJWKSet(new URL('/oidc/jwks', ISSUER));
const verifySigned = async (token: string): Promise<JWTPayload> =>
  (await jwtVerify(token, keys, { issuer: ISSUER, audience: RESOURCE, typ: 'at+jwt', algorithms: ['RS256'] })).payload;

const ask = (path: string, fields: Record<string, string>) =>
  fetch(new URL(path, ISSUER), {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
    body: new URLSearchParams(fields),
  });

// Janua is asked about an opaque token at each request, so that a token that was revoked is refused at once.
async function introspect(token: string): Promise<JWTPayload> {
  const answer = await ask('/oidc/introspection', { token });
  const claims = (await answer.json()) as JWTPayload & { active?: boolean };
  if (!claims.active) throw new Error('The token is not active');
  return claims;
}

const verifier = {
  async verifyAccessToken(token: string) {
    try {
      const { sub, aud, exp, scope, client_id } = await (CLIENT_ID === undefined ? verifySigned : introspect)(token);
      const about = { token, clientId: String(client_id), scopes: String(scope).split(' '), extra: { sub } };
      return { ...about, resource: new URL(String(aud)), ...(exp !== undefined && { expiresAt: exp }) };
    } catch (error) {
      throw new InvalidTokenError(error instanceof Error ? error.message : 'The token cannot be read');
    }
  },
};

// Calls another API for the user of the token. The token is exchanged for one of that API (RFC 8693), and never sent there itself.
async function callApi(api: string, token = ''): Promise<string> {
  const answer = await ask('/oidc/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    resource: api,
  });
  const { access_token, error_description } = (await answer.json()) as Record<string, string>;
  if (access_token === undefined) throw new Error(error_description);
  return (await fetch(api, { headers: { authorization: `Bearer ${access_token}` } })).text();
}

function createMcpServer(): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool('whoami', { description: 'Says who calls' }, ({ authInfo }) => ({
    content: [{ type: 'text', text: `You are ${authInfo?.extra?.sub}` }],
  }));
  if (API !== undefined)
    server.registerTool('notes', { description: 'Reads the notes of the user' }, async ({ authInfo }) => ({
      content: [{ type: 'text', text: await callApi(API, authInfo?.token) }],
    }));
  return server;
}

const app = createMcpExpressApp({ host: resource.hostname, allowedHosts: [resource.hostname] });
const scopesSupported = ['notes:read', 'notes:write'];
app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: resource, scopesSupported }));
app.post(
  resource.pathname,
  requireBearerAuth({
    verifier,
    requiredScopes: ['notes:read'],
    expectedResource: resource,
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
  }),
  async (request, response) => {
    // Without an id of a session, each request stands alone.
    const transport = new StreamableHTTPServerTransport();
    await createMcpServer().connect(transport);
    await transport.handleRequest(request, response, request.body);
  },
);
app.listen(Number(PORT), '127.0.0.1', () => process.stdout.write(`The MCP server listens on port ${PORT}\n`));
