import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import * as openid from 'openid-client';
import { createMigratedWorkplace } from '../../commands/janua-command.ts';
import { ann, password } from '../../janua.ts';
import { blocksOf, root } from '../../page-examples.ts';
import { findFreePort } from '../../servers/throw-away-server.ts';
import { createApplication, requireAnswer } from './application.ts';
import { Browser } from './browser.ts';
import { type DocumentServer, startDocumentServer } from './document-server.ts';

const page = await readFile(`${root}docs/mcp.md`, 'utf8');
const lines = blocksOf(page, 'sh').flatMap((block) => block.trim().split('\n'));
const findLine = (...parts: readonly string[]) =>
  lines.find((line) => parts.every((part) => line.includes(part))) ?? assert.fail(`docs/mcp.md has no ${parts}`);

/** As a shell reads a command. */
const wordsOf = (line: string) =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

let documents: DocumentServer;
before(async () => {
  documents = await startDocumentServer();
});
after(() => documents[Symbol.asyncDispose]());

/** Janua, and the example of docs/mcp.md, started by the commands of the page. */
async function open(tokens: 'signed' | 'opaque', api?: Pick<Api, 'uri'>) {
  await using stack = new AsyncDisposableStack();
  const workplace = stack.use(await createMigratedWorkplace());
  const resource = `http://localhost:${await findFreePort()}/mcp`;
  const adapt = (line: string) =>
    line.replaceAll('https://mcp.example.com/mcp', resource).replaceAll('https://notes.example.com', api?.uri ?? '');

  async function run(line: string, input = ''): Promise<string> {
    const { code, stdout, stderr } = await workplace.run(wordsOf(adapt(line)).filter(Boolean).slice(1), { input });
    assert.equal(code, 0, stderr);
    return stdout;
  }

  await run(`janua users add ${ann.username} --first-name Ann --last-name Archer`, `${password}\n`);
  const [signed, opaque] = lines.filter((line) => line.includes('janua resources add'));
  await run((tokens === 'signed' ? signed : opaque) ?? '');
  const added = tokens === 'opaque' ? await run(findLine('resources set', '--secret')) : '';
  const [, CLIENT_ID, CLIENT_SECRET] = /client_id: (\S+)\nclient_secret: (\S+)/.exec(added) ?? [];
  const ofApi = api && lines.filter((line) => line.includes('https://notes.example.com') && line.startsWith('janua'));
  const printed: string[] = [];
  for (const line of ofApi ?? []) printed.push(await run(line));
  const [, apiId, apiSecret] = /client_id: (\S+)\nclient_secret: (\S+)/.exec(printed.join('\n')) ?? [];
  const [, clientId = ''] = /client_id: (\S+)/.exec(await run(findLine('clients add', '--public'))) ?? [];
  const janua = await workplace.start(['serve'], {
    CLIENT_ID_METADATA: documents.host,
    OIDC_PRIVATE_HOSTS: 'localhost',
    NODE_EXTRA_CA_CERTS: documents.certificate,
  });
  const origin = janua.url.replace('127.0.0.1', 'localhost');
  const values = {
    ISSUER: origin,
    RESOURCE: resource,
    PORT: new URL(resource).port,
    CLIENT_ID,
    CLIENT_SECRET,
    API: api?.uri,
  };
  const command = findLine(
    ...['node server.ts', tokens === 'signed' ? 'PORT=3000 node' : api ? ' API=' : 'CLIENT_SECRET'],
  );
  const named = [...command.matchAll(/([A-Z_]+)=/g)].map(([, name = '']) => [
    name,
    values[name as keyof typeof values],
  ]);
  const server = await startExample(Object.fromEntries(named));
  stack.defer(async () => {
    const closed = once(server, 'exit');
    server.kill();
    await closed;
  });
  const browser = new Browser(origin);
  await browser.logIn(ann.username, password);
  const started = stack.move();
  const secrets = { id: apiId, secret: apiSecret };
  return {
    resource,
    origin,
    browser,
    clientId,
    run,
    secrets,
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function startExample(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['examples/mcp/server.ts'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) if (line.includes('listens')) return child;
  throw new Error('the MCP server did not start');
}

/** A program with the SDK. Its user lets it in, in a browser. */
class Program implements OAuthClientProvider {
  readonly redirectUrl = 'http://127.0.0.1:54321/callback';
  readonly clientMetadata = { redirect_uris: [this.redirectUrl] };
  readonly opened: Opened;
  readonly clientMetadataUrl?: string;
  asked: URL | undefined;
  information: OAuthClientInformationMixed | undefined;
  kept: OAuthTokens | undefined;
  verifier = '';

  constructor(opened: Opened, identity: { clientId?: string; document?: string }) {
    this.opened = opened;
    if (identity.document !== undefined) this.clientMetadataUrl = identity.document;
    if (identity.clientId !== undefined) this.information = { client_id: identity.clientId };
  }

  clientInformation = () => this.information;
  tokens = () => this.kept;
  codeVerifier = () => this.verifier;
  saveClientInformation(information: OAuthClientInformationMixed) {
    this.information = information;
  }
  saveTokens(tokens: OAuthTokens) {
    this.kept = tokens;
  }
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier;
  }
  redirectToAuthorization(url: URL) {
    this.asked = url;
  }
  invalidateCredentials(what: string) {
    if (what === 'tokens' || what === 'all') this.kept = undefined;
  }

  createTransport = () => new StreamableHTTPClientTransport(new URL(this.opened.resource), { authProvider: this });

  /** Connects, and lets the user decide on the way. */
  async connect(): Promise<Client> {
    const transport = this.createTransport();
    const client = new Client({ name: 'program', version: '1.0.0' });
    // The SDK declares its transports without exact optional properties.
    await assert.rejects(client.connect(transport as never), UnauthorizedError);
    const { browser } = this.opened;
    const consent = await browser.open(this.asked ?? assert.fail('the browser was not opened'));
    assert.match(consent.text, /127\.0\.0\.1:54321/);
    const answer = requireAnswer(await browser.submit(consent.url, { decision: 'allow' }));
    await transport.finishAuth(answer.searchParams.get('code') ?? '');
    return this.reconnect();
  }

  async reconnect(): Promise<Client> {
    const client = new Client({ name: 'program', version: '1.0.0' });
    await client.connect(this.createTransport() as never);
    return client;
  }
}

const call = async (client: Client) => JSON.stringify((await client.callTool({ name: 'whoami' })).content);

/** An API that asks Janua about each token, and says whose it is, and who exchanged it. */
interface Api extends AsyncDisposable {
  readonly uri: string;
  /** Where it asks, and with which id and secret. */
  set(issuer: string, credentials: { readonly id?: string | undefined; readonly secret?: string | undefined }): void;
}

async function startApi(): Promise<Api> {
  let [issuer, authorization] = ['', ''];
  const server = createServer(async (request, response) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const headers = { authorization };
    const asked = await fetch(`${issuer}/oidc/introspection`, {
      method: 'POST',
      headers,
      body: new URLSearchParams({ token }),
    });
    const { active, sub, scope, act } = (await asked.json()) as Record<string, { sub?: string }>;
    response.end(active ? `notes of ${sub} (${scope}) by ${act?.sub}` : 'refused');
  });
  const { port } = await new Promise<AddressInfo>((listen) =>
    server.listen(0, '127.0.0.1', () => listen(server.address() as AddressInfo)),
  );
  return {
    uri: `http://localhost:${port}`,
    set(address, { id, secret }) {
      issuer = address;
      authorization = `Basic ${btoa(`${id}:${secret}`)}`;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

test('an MCP server calls an API for its user, as docs/mcp.md says', async () => {
  await using api = await startApi();
  await using opened = await open('opaque', api);
  api.set(opened.origin, opened.secrets);
  const program = new Program(opened, { clientId: opened.clientId });
  const client = await program.connect();
  const notes = async () => JSON.stringify((await client.callTool({ name: 'notes' })).content);
  const [, sub] = /You are ([\da-f-]{36})/.exec(await call(client)) ?? assert.fail();
  assert.ok((await notes()).includes(`notes of ${sub} (notes:read) by ${opened.resource}`));
  // The token of the client itself opens nothing there.
  const headers = { authorization: `Bearer ${program.kept?.access_token}` };
  assert.equal(await (await fetch(api.uri, { headers })).text(), 'refused');
  await opened.run(`janua resources set https://mcp.example.com/mcp --no-exchange-for`);
  assert.match(await notes(), /no exchange is allowed/);
});

const send = (resource: string, token?: string) =>
  fetch(resource, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  });

for (const tokens of ['signed', 'opaque'] as const)
  describe(`an MCP server that is guarded as docs/mcp.md says, with ${tokens} tokens`, () => {
    let opened: Opened;
    before(async () => {
      opened = await open(tokens);
    });
    after(() => opened[Symbol.asyncDispose]());

    test('tells a client without a token where to get one', async () => {
      const answer = await send(opened.resource);
      assert.equal(answer.status, 401);
      const { host } = new URL(opened.resource);
      const address = `http://${host}/.well-known/oauth-protected-resource/mcp`;
      assert.ok(answer.headers.get('www-authenticate')?.includes(`resource_metadata="${address}"`));
      const metadata = (await (await fetch(address)).json()) as Record<string, unknown>;
      assert.deepEqual(metadata.authorization_servers, [opened.origin]);
    });

    for (const how of ['describes itself', 'was added by hand'] as const)
      test(`lets in a client of the SDK that ${how}, until its user takes that back`, async () => {
        const document = documents.publish('/program.json', {
          client_name: 'Program',
          redirect_uris: ['http://127.0.0.1/callback'],
          grant_types: ['authorization_code', 'refresh_token'],
          token_endpoint_auth_method: 'none',
        });
        const program = new Program(opened, how === 'describes itself' ? { document } : { clientId: opened.clientId });
        const client = await program.connect();
        assert.match(await call(client), /You are [\da-f-]{36}/);
        assert.equal(program.asked?.searchParams.get('resource'), opened.resource);
        const { access_token, expires_in = 0, scope } = program.kept ?? assert.fail('no tokens');
        assert.equal(scope, 'notes:read');

        // Without the access token, the client renews it by itself.
        program.kept = { ...program.kept, access_token: 'expired' } as OAuthTokens;
        assert.match(await call(await program.reconnect()), /You are/);

        const { browser } = opened;
        const id = program.information?.client_id ?? '';
        await browser.submit('/account/applications/revoke', { client_id: id });
        const { status } = await send(opened.resource, access_token);
        if (tokens === 'opaque') assert.equal(status, 401);
        else assert.ok(expires_in <= 300);
        program.kept = { ...program.kept, access_token: 'expired' } as OAuthTokens;
        program.asked = undefined;
        await assert.rejects(program.reconnect(), UnauthorizedError);
        assert.ok(program.asked, 'the client asks its user again');
      });

    test('refuses a token of another server, and one without the scope', async () => {
      const { resource, browser, clientId, origin, run } = opened;
      const other = 'https://other.example.com/mcp';
      await run(`janua resources add ${other} --scopes notes:read ${tokens === 'signed' ? '--jwt' : ''}`);
      const redirectUris = ['http://127.0.0.1:1/callback'];
      const authentication = openid.None();
      const app = await createApplication({ origin, clientId, secret: undefined, authentication, redirectUris });
      async function getToken(parameters: { scope: string; resource: string }): Promise<string> {
        const begun = await app.begin(parameters);
        const consent = await browser.open(begun.address);
        const answer = requireAnswer(await browser.submit(consent.url, { decision: 'allow' }));
        return (await app.finish(begun, answer)).access_token;
      }
      assert.equal((await send(resource, await getToken({ scope: 'notes:read', resource: other }))).status, 401);
      assert.equal((await send(resource, await getToken({ scope: 'notes:read', resource }))).status, 200);
      const answer = await send(resource, await getToken({ scope: 'notes:write', resource }));
      assert.equal(answer.status, 403);
      assert.match(answer.headers.get('www-authenticate') ?? '', /error="insufficient_scope"/);
    });
  });
