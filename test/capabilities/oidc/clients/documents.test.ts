import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import * as openid from 'openid-client';
import { outsideLimits } from '../../../../src/capabilities/oidc/clients/guarded-fetch.ts';
import type { Settings } from '../../../../src/ground/config/settings.ts';
import { ann, password } from '../../../janua.ts';
import {
  basic,
  createApplication,
  introspect,
  openProvider,
  type ProviderUnderTest,
  post,
  readToken,
  requireAnswer,
} from '../application.ts';
import type { Place } from '../browser.ts';
import { type DocumentServer, startDocumentServer } from '../document-server.ts';

const resource = 'https://mcp.example.com/mcp';

let documents: DocumentServer;
let server: ProviderUnderTest;
before(async () => {
  documents = await startDocumentServer();
  server = await open();
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await documents[Symbol.asyncDispose]();
});

async function open(settings: Partial<Settings> = {}): Promise<ProviderUnderTest> {
  const opened = await openProvider({
    settings: { CLIENT_ID_METADATA: [documents.host], OIDC_PRIVATE_HOSTS: ['localhost'], ...settings },
  });
  const tools = { uri: resource, scopes: ['tools'], tokenFormat: 'jwt' } as const;
  await opened.janua.services.clientAdministration.addResource(tools);
  return opened;
}

const createDocumentApplication = (
  server: ProviderUnderTest,
  clientId: string,
  redirectUri: string,
  authentication = openid.None(),
) =>
  createApplication({
    origin: server.origin,
    clientId,
    secret: undefined,
    authentication,
    redirectUris: [redirectUri],
  });

/** The reason that `janua explain` gives for the last refusal. @param about the application, unless it is any */
async function findReason({ janua }: ProviderUnderTest, about?: string): Promise<string | undefined> {
  for await (const event of janua.services.auditTrail.find({ order: 'newest-first' }))
    if ('kind' in event && event.kind === 'application-refused' && event.about === (about ?? event.about))
      return event.reason;
  return undefined;
}

const readJson = async (address: string) => (await fetch(address)).json() as Promise<Record<string, unknown>>;

const textOf = ({ text }: Place) => text.replaceAll(/<[^>]*>|\s+/g, ' ').replaceAll(/ +/g, ' ');

const keys = await generateKeyPair('RS256', { extractable: true });
const signed = openid.PrivateKeyJwt({ key: keys.privateKey, kid: 'one' });
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }] };

const usual = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] };

interface Published {
  readonly application: string;
  readonly document: () => object;
  /** The address that the application sends. */
  readonly redirectUri: string;
  readonly signs?: boolean;
  readonly warns?: boolean;
  readonly refreshes?: boolean;
}

/** As the applications published them in September 2026. */
const published: readonly Published[] = [
  {
    application: 'claude.ai, which has a grant type of other servers',
    document: () => ({
      client_name: 'Claude',
      client_uri: 'https://claude.ai',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      ...usual,
      grant_types: [...usual.grant_types, 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
      token_endpoint_auth_method: 'none',
    }),
    redirectUri: 'https://claude.ai/api/mcp/auth_callback',
  },
  {
    application: 'Claude Code, which listens on a port that the document does not name',
    document: () => ({
      client_name: 'Claude Code',
      client_uri: 'https://claude.ai',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      ...usual,
      token_endpoint_auth_method: 'none',
    }),
    redirectUri: 'http://localhost:54321/callback',
    warns: true,
  },
  {
    application: 'ChatGPT, which signs',
    document: () => ({
      client_name: 'ChatGPT',
      client_uri: 'https://chatgpt.com/',
      logo_uri: 'https://persistent.oaistatic.com/sonic/misc/openai-logo.png',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      ...usual,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      token_endpoint_auth_signing_alg: 'RS256',
      jwks_uri: `${documents.origin}/jwks.json`,
    }),
    redirectUri: 'https://chatgpt.com/connector_platform_oauth_redirect',
    signs: true,
  },
  {
    application: 'ChatGPT, in the variant that leaves the method to the server',
    document: () => ({
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector/oauth/tU1UVEq8rRTK'],
      ...usual,
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      token_endpoint_auth_signing_alg: 'RS256',
      jwks_uri: `${documents.origin}/jwks.json`,
    }),
    redirectUri: 'https://chatgpt.com/connector/oauth/tU1UVEq8rRTK',
    signs: true,
  },
  {
    application: 'VS Code on a desktop',
    document: () => visualStudioCode,
    redirectUri: 'http://127.0.0.1:33418/',
    warns: true,
  },
  {
    application: 'VS Code in a browser',
    document: () => visualStudioCode,
    redirectUri: 'https://vscode.dev/redirect',
  },
  {
    application:
      'an application without grant types, with an unknown scope, unknown members and settings of an operator',
    document: () => ({
      client_name: 'Other',
      redirect_uris: ['https://other.example.com/callback'],
      scope: 'mcp:everything openid',
      software_statement: 'text',
      contacts: 'not a list',
      subject_type: 'pairwise',
      id_token_signed_response_alg: 'HS256',
      'https://other.example.com/extension': { deep: [1] },
      ...{ own: true, groups: ['nobody'], secondFactor: true },
    }),
    redirectUri: 'https://other.example.com/callback',
    refreshes: false,
  },
];

const visualStudioCode = {
  client_name: 'Visual Studio Code',
  logo_uri: 'https://code.visualstudio.com/assets/branding/code-stable.png',
  client_uri: 'https://vscode.dev/product',
  ...usual,
  grant_types: [...usual.grant_types, 'urn:ietf:params:oauth:grant-type:device_code'],
  token_endpoint_auth_method: 'none',
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
};

describe('applications that introduce themselves by a document', () => {
  test('are promised in the metadata, with the authentication methods that they look for', async () => {
    for (const document of ['openid-configuration', 'oauth-authorization-server']) {
      const metadata = await readJson(`${server.origin}/.well-known/${document}`);
      assert.equal(metadata.client_id_metadata_document_supported, true);
      const methods = new Set([metadata.token_endpoint_auth_methods_supported].flat());
      assert.ok(methods.has('none') && methods.has('private_key_jwt'));
      assert.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
      assert.equal(metadata.authorization_response_iss_parameter_supported, true);
    }
  });

  for (const [index, { application, document, redirectUri, signs, warns, refreshes = true }] of published.entries())
    test(`get tokens of a resource: ${application}`, async () => {
      documents.answer('/jwks.json', (_request, response) => response.end(JSON.stringify(jwks)));
      const clientId = documents.publish(`/published/${index}.json`, document());
      const app = await createDocumentApplication(server, clientId, redirectUri, signs ? signed : openid.None());
      const browser = await server.browser();
      const begun = await app.begin({ scope: 'of-another-server', resource });
      const page = await browser.open(begun.address);
      assert.ok(textOf(page).includes(new URL(redirectUri).host), `${page.url}`);
      assert.ok(textOf(page).includes('This application describes itself'));
      assert.equal(textOf(page).includes('runs on your own machine'), Boolean(warns));
      const answer = requireAnswer(await browser.submit(page.url, { decision: 'allow' }));
      const tokens = await app.finish(begun, answer);
      assert.deepEqual([tokens.scope, tokens.expires_in], ['tools', 300]);
      assert.equal(tokens.refresh_token !== undefined, refreshes);
      if (tokens.refresh_token === undefined) return;
      const next = await openid.refreshTokenGrant(app.config, tokens.refresh_token, { resource });
      assert.deepEqual([next.scope, next.refresh_token === tokens.refresh_token], ['tools', false]);
    });

  for (const [named, expected] of [
    ['ES256', 'ES256'],
    ['RS256', 'RS256'],
    [undefined, 'RS256'],
    ['none', 'RS256'],
    ['HS256', 'RS256'],
    ['PS256', 'RS256'],
    [['ES256'], 'RS256'],
  ] as const)
    test(`get ID tokens signed by ${expected} if the document names ${named} for them`, async () => {
      const redirectUri = 'https://app.example.com/callback';
      const document = { redirect_uris: [redirectUri], ...usual, id_token_signed_response_alg: named };
      const clientId = documents.publish(
        `/signed/${JSON.stringify(named)?.length}-${expected}-${named}.json`,
        document,
      );
      const app = await createDocumentApplication(server, clientId, redirectUri);
      const browser = await server.browser();
      const begun = await app.begin();
      const page = await browser.open(begun.address);
      const tokens = await app.finish(begun, requireAnswer(await browser.submit(page.url, { decision: 'allow' })));
      assert.equal((await readToken(server, tokens.id_token ?? '')).alg, expected);
    });

  test('may send an empty secret by Basic, unless they prove themselves by a key', async () => {
    documents.answer('/jwks.json', (_request, response) => response.end(JSON.stringify(jwks)));
    const by = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${documents.origin}/jwks.json` };
    for (const [method, error] of [
      [{}, 'invalid_grant'],
      [by, 'invalid_client'],
    ] as const) {
      const clientId = documents.publish(`/${error}.json`, { ...visualStudioCode, ...method });
      const headers = basic({ clientId: encodeURIComponent(clientId), secret: '' });
      const fields = { grant_type: 'refresh_token', refresh_token: 'wrong' };
      const answer = await post(server, '/oidc/token', fields, headers);
      assert.equal(((await answer.json()) as { error: string }).error, error);
    }
  });

  test('do not hear of the tokens of a resource, even if their document says that they are it', async () => {
    const files = { uri: 'https://files.example.com', scopes: ['files:read'], tokenFormat: 'opaque' } as const;
    await server.janua.services.clientAdministration.addResource(files);
    const wiki = await server.addApplication();
    const sent = { resource: files.uri, scope: 'files:read' };
    const { access_token: token } = await wiki.signIn(await server.browser(), sent);
    documents.answer('/jwks.json', (_request, response) => response.end(JSON.stringify(jwks)));
    const by = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${documents.origin}/jwks.json` };
    const clientId = documents.publish('/api.json', { ...visualStudioCode, ...by, api: files.uri });
    const app = await createDocumentApplication(server, clientId, 'https://vscode.dev/redirect', signed);
    assert.deepEqual(await introspect(app, token), { active: false });
  });

  test('are told of no logout, even if their document has an address for it', async () => {
    const backchannel = {
      backchannel_logout_uri: `${documents.origin}/log-out`,
      backchannel_logout_session_required: true,
    };
    const clientId = documents.publish('/told.json', { ...visualStudioCode, ...backchannel });
    const app = await createDocumentApplication(server, clientId, 'https://vscode.dev/redirect');
    const [browser, begun] = [await server.browser(), await app.begin({ resource })];
    const page = await browser.open(begun.address);
    await app.finish(begun, requireAnswer(await browser.submit(page.url, { decision: 'allow' })));
    const { database } = server.janua.services;
    assert.deepEqual(await database.selectFrom('janua_logout_notices').select('client_id').execute(), []);
  });

  test('are read once in a while, not at each request', async () => {
    const clientId = documents.publish('/cached.json', { ...visualStudioCode });
    const app = await createDocumentApplication(server, clientId, 'https://vscode.dev/redirect');
    const browser = await server.browser();
    for (let count = 0; count < 3; count += 1) await browser.open((await app.begin()).address);
    assert.equal(documents.asked.filter((path) => path === '/cached.json').length, 1);
  });

  test('are asked about again when the document has changed, and not before', async (t) => {
    const redirectUri = 'https://app.example.com/callback';
    const document = { client_name: 'Notes', redirect_uris: [redirectUri], ...usual };
    const clientId = documents.publish('/changing.json', document);
    const app = await createDocumentApplication(server, clientId, redirectUri);
    const browser = await server.browser();
    const parameters = { scope: 'openid' };
    const page = await browser.open((await app.begin(parameters)).address);
    requireAnswer(await browser.submit(page.url, { decision: 'allow' }));
    requireAnswer(await browser.open((await app.begin(parameters)).address));

    documents.publish('/changing.json', { ...document, client_name: 'Your Bank' });
    const { now } = Date;
    t.mock.method(Date, 'now', () => now() + 31_000);
    const again = await browser.open((await app.begin(parameters)).address);
    assert.match(textOf(again), /It calls itself Your Bank /);
  });

  for (const [about, client_name, isMixed] of [
    ['the name of another one', 'Claude Code', false],
    ['words of the page', 'Claude Who asks An application that the operator of this site added', false],
    ['a name with a Cyrillic letter', 'Сlaude Code', true],
    ['no name', undefined, false],
  ] as const) {
    test(`are shown first with the host of the document, whatever they call themselves: ${about}`, async () => {
      const redirectUri = 'https://app.example.com/callback';
      const clientId = documents.publish(`/named/${encodeURIComponent(about)}.json`, {
        client_name,
        redirect_uris: [redirectUri],
        ...usual,
      });
      const app = await createDocumentApplication(server, clientId, redirectUri);
      const page = await (await server.browser()).open((await app.begin()).address);
      const { host } = documents;
      const article = textOf(page).slice(textOf(page).indexOf(`Let ${host} in?`));
      const name = client_name ?? host;
      assert.ok(article.startsWith(`Let ${host} in? Who asks ${host} It calls itself ${name} `), textOf(page));
      assert.equal(textOf(page).includes('letters of several alphabets'), isMixed);
      assert.match(article, /keeps this when your session ends/);
    });
  }

  test('get nothing by the device flow, even if their document asks for it', async () => {
    const clientId = documents.publish('/device.json', visualStudioCode);
    const app = await createDocumentApplication(server, clientId, 'https://vscode.dev/redirect');
    const begun = openid.initiateDeviceAuthorization(app.config, { scope: 'openid' });
    await assert.rejects(begun, { error: 'invalid_request' });
  });

  test('have a name that is text only, of a bounded length', async () => {
    const redirectUri = 'https://app.example.com/callback';
    const client_name = `<script>alert(1)</script>${'x'.repeat(300)}`;
    const clientId = documents.publish('/html.json', { client_name, redirect_uris: [redirectUri], ...usual });
    const app = await createDocumentApplication(server, clientId, redirectUri);
    const { text } = await (await server.browser()).open((await app.begin()).address);
    assert.ok(text.includes('&lt;script&gt;alert(1)'), text);
    assert.ok(!text.includes('<script>alert') && !text.includes('x'.repeat(100)));
  });

  for (const [about, character] of Object.entries({
    turned: '\u202E',
    hidden: '\u3164',
    broken: '\uD800',
    lines: '\n',
  }))
    test(`have no name that an administrator could not type: ${about}`, async () => {
      const redirectUri = 'https://app.example.com/callback';
      const document = { client_name: `Cla${character}ude`, redirect_uris: [redirectUri], ...usual };
      const app = await createDocumentApplication(server, documents.publish(`/${about}.json`, document), redirectUri);
      const page = await (await server.browser()).open((await app.begin()).address);
      assert.match(textOf(page), new RegExp(`It calls itself ${documents.host} `));
    });

  const fine = { client_name: 'App', redirect_uris: ['https://app.example.com/callback'], ...usual };
  const answerWith =
    (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
    (_request, response) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);

  const hostile: readonly { about: string; publish: (path: string) => string; reason: string }[] = [
    {
      about: 'it is moved for good',
      publish: (path) =>
        documents.answer(path, answerWith(301, '', { location: documents.publish('/fine.json', fine) })),
      reason: 'document-fetch',
    },
    {
      about: 'it is moved for now',
      publish: (path) =>
        documents.answer(path, answerWith(302, '', { location: documents.publish('/fine.json', fine) })),
      reason: 'document-fetch',
    },
    {
      about: 'it has 6 KB',
      publish: (path) => documents.publish(path, { ...fine, policy: 'x'.repeat(6000) }),
      reason: 'document-fetch',
    },
    {
      about: 'it never ends',
      publish: (path) =>
        documents.answer(path, (_request, response) => {
          response.writeHead(200, { 'content-type': 'application/json' }).write('{');
        }),
      reason: 'document-fetch',
    },
    {
      about: 'it is not JSON',
      publish: (path) => documents.answer(path, answerWith(200, '<p>')),
      reason: 'document-fetch',
    },
    { about: 'it is a list', publish: (path) => documents.answer(path, answerWith(200, '[]')), reason: 'document' },
    { about: 'it is missing', publish: (path) => `${documents.origin}${path}`, reason: 'document-fetch' },
    {
      about: 'it has the id of another client',
      publish: (path) => documents.publish(path, { ...fine, client_id: documents.publish('/fine.json', fine) }),
      reason: 'document',
    },
    {
      about: 'it has no id',
      publish: (path) => documents.answer(path, answerWith(200, JSON.stringify(fine))),
      reason: 'document',
    },
    {
      about: 'it has a secret',
      publish: (path) => documents.publish(path, { ...fine, client_secret: 'secret' }),
      reason: 'document',
    },
    {
      about: 'it wants to prove itself by a secret',
      publish: (path) => documents.publish(path, { ...fine, token_endpoint_auth_method: 'client_secret_basic' }),
      reason: 'document',
    },
    {
      about: 'it wants to sign without keys',
      publish: (path) => documents.publish(path, { ...fine, token_endpoint_auth_method: 'private_key_jwt' }),
      reason: 'document',
    },
    {
      about: 'its redirect address is a script',
      publish: (path) => documents.publish(path, { ...fine, redirect_uris: ['javascript:alert(1)'] }),
      reason: 'document',
    },
    {
      about: 'its redirect address is at http: on another machine',
      publish: (path) => documents.publish(path, { ...fine, redirect_uris: ['http://app.example.com/callback'] }),
      reason: 'document',
    },
    {
      about: 'it has no redirect address',
      publish: (path) => documents.publish(path, { ...fine, redirect_uris: undefined }),
      reason: 'document',
    },
    {
      about: 'its host is not allowed',
      publish: () => 'https://elsewhere.example.com/client.json',
      reason: 'document-host',
    },
    {
      about: 'its port is another one',
      publish: (path) => `https://localhost:1${path}`,
      reason: 'document-host',
    },
  ];

  test('are refused without a redirect, and the audit has the reason', async (t) => {
    const browser = await server.browser();
    for (const [index, { about, publish, reason }] of hostile.entries())
      await t.test(`because ${about}`, async () => {
        const clientId = publish(`/hostile/${index}.json`);
        const app = await createDocumentApplication(server, clientId, 'https://app.example.com/callback');
        const { status, isElsewhere } = await browser.open((await app.begin()).address);
        assert.deepEqual([isElsewhere, status], [false, 400]);
        assert.equal(await findReason(server), reason);
      });
  });

  test('are not fetched from a private address, whether it is written or a name resolves to it', async () => {
    let connections = 0;
    const inside = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    inside.listen(0, '127.0.0.1');
    await once(inside, 'listening');
    const { port } = inside.address() as { port: number };
    await using server = await open({ CLIENT_ID_METADATA: ['any'], OIDC_PRIVATE_HOSTS: [] });
    const browser = await server.browser();
    for (const host of ['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433']) {
      const clientId = `https://${host}:${port}/client.json`;
      const app = await createDocumentApplication(server, clientId, 'https://app.example.com/callback');
      const { status } = await browser.open((await app.begin()).address);
      assert.equal(status, 400);
      assert.equal(await findReason(server), 'document-fetch', host);
    }
    inside.close();
    assert.equal(connections, 0);
  });

  test('may come from every host with `any`, and from none without the setting', async () => {
    const redirectUri = 'https://app.example.com/callback';
    const clientId = documents.publish('/any.json', { ...fine });
    await using every = await open({ CLIENT_ID_METADATA: ['any'] });
    const allowed = await createDocumentApplication(every, clientId, redirectUri);
    const page = await (await every.browser()).open((await allowed.begin()).address);
    assert.match(textOf(page), /It calls itself App /);

    await using none = await open({ CLIENT_ID_METADATA: [] });
    await none.addApplication();
    const refused = await createDocumentApplication(none, clientId, redirectUri);
    assert.equal((await (await none.browser()).open((await refused.begin()).address)).status, 400);
    assert.equal(await findReason(none), 'document-host');
    const metadata = await readJson(`${none.origin}/.well-known/oauth-authorization-server`);
    assert.notEqual(metadata.client_id_metadata_document_supported, true);
  });
});

describe('an error of an application that only `any` allows', () => {
  const redirectUri = 'https://evil.example.com/callback';
  let every: ProviderUnderTest;
  let address: URL;
  before(async () => {
    every = await open({ CLIENT_ID_METADATA: ['any'] });
    const clientId = documents.publish('/evil.json', { redirect_uris: [redirectUri, 'http://localhost/cb'], ...usual });
    const app = await createDocumentApplication(every, clientId, redirectUri);
    ({ address } = await app.begin({ scope: 'openid' }));
  });
  after(() => every[Symbol.asyncDispose]());

  const failing = [
    { prompt: 'none' },
    { response_type: 'token' },
    { response_mode: 'form_post', prompt: 'none' },
    { prompt: 'none login' },
    { claims: '{"id_token":{"sub":{"value":"another"}}}', prompt: 'none' },
    { resource: 'https://unknown.example.com' },
  ] as const;

  const change = (changes: Readonly<Record<string, string>>) => {
    const target = new URL(address);
    for (const [name, value] of Object.entries(changes)) target.searchParams.set(name, value);
    return target;
  };

  for (const changes of failing)
    for (const isSignedIn of [false, true])
      test(`is a page that names the host: ${JSON.stringify(changes)}, ${isSignedIn ? '' : 'not '}signed in`, async () => {
        const place = await (await every.browser(isSignedIn)).open(change(changes));
        assert.deepEqual([place.isElsewhere, place.status], [false, 400], `${place.url}`);
        assert.match(textOf(place), /evil\.example\.com/);
      });

  test('goes to a program on the machine of the user, and to the site once the user has decided', async () => {
    const browser = await every.browser();
    const program = await browser.open(change({ prompt: 'none', redirect_uri: 'http://localhost:4711/cb' }));
    assert.equal(requireAnswer(program).searchParams.get('error'), 'consent_required');
    const page = await browser.open(address);
    const denied = requireAnswer(await browser.submit(page.url, { decision: 'deny' }));
    assert.equal(denied.searchParams.get('error'), 'access_denied');
    const again = await browser.open(address);
    requireAnswer(await browser.submit(again.url, { decision: 'allow' }));
    const later = requireAnswer(await browser.open(change({ prompt: 'none', max_age: '0' })));
    assert.equal(later.searchParams.get('error'), 'login_required');
  });
});

describe('what strangers make Janua fetch', () => {
  const redirectUri = 'https://app.example.com/callback';
  const document = { redirect_uris: [redirectUri], ...usual };

  /** Answers of the documents' server that wait until a test says so. */
  function hold(paths: readonly string[]) {
    const held: (() => void)[] = [];
    let isOpen = false;
    for (const path of paths) {
      const clientId = documents.publish(path, {});
      documents.answer(path, (_request, response) => {
        const send = () => response.end(JSON.stringify({ client_id: clientId, ...document }));
        if (isOpen) send();
        else held.push(send);
      });
    }
    const release = () => {
      isOpen = true;
      for (const send of held) send();
    };
    return { held, release, [Symbol.dispose]: release };
  }

  const pathsOf = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `/${name}/${index}.json`);

  async function createRequests(server: ProviderUnderTest) {
    const app = await createDocumentApplication(server, documents.publish('/begins.json', document), redirectUri);
    const { address } = await app.begin({ scope: 'openid' });
    return (path: string) => {
      const target = new URL(address);
      target.searchParams.set('client_id', `${documents.origin}${path}`);
      return fetch(target, { redirect: 'manual' });
    };
  }

  test('comes from one host in two connections at a time', async () => {
    await using server = await open();
    const request = await createRequests(server);
    const paths = pathsOf('many', 30);
    using holding = hold(paths);
    const { held, release } = holding;
    const answers = paths.map(request);
    while (held.length < 2) await fetch(`${server.origin}/health/live`);
    for (let count = 0; count < 20; count += 1) await fetch(`${server.origin}/health/live`);
    assert.equal(held.length, 2);
    release();
    for (const { status } of await Promise.all(answers)) assert.equal(status, 303);
  });

  test('is refused with 503 when too much waits, and no application is to blame', async () => {
    await using server = await open();
    const request = await createRequests(server);
    documents.answer('/busy/jwks.json', (_request, response) => response.end(JSON.stringify(jwks)));
    const by = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${documents.origin}/busy/jwks.json` };
    const clientId = documents.publish('/busy/signs.json', { ...document, ...by });
    const app = await createDocumentApplication(server, clientId, redirectUri, signed);
    // It knows the document, and not yet the keys.
    assert.equal((await request('/busy/signs.json')).status, 303);

    const { ofHost, waiting } = outsideLimits;
    const paths = pathsOf('busy', ofHost + waiting);
    using holding = hold([...paths, '/busy/late.json']);
    const answers = paths.map(request);
    // So that all of them have come before the next request.
    for (let count = 0; count < 20; count += 1) await fetch(`${server.origin}/health/live`);
    const late = await request('/busy/late.json');
    assert.deepEqual([late.status, late.headers.get('retry-after')], [503, '2']);
    const refresh = () => openid.refreshTokenGrant(app.config, 'wrong');
    await assert.rejects(refresh(), (error: { cause?: unknown; response?: Response; status?: number }) => {
      const { status } = (error.cause instanceof Response ? error.cause : error) as { status?: number };
      return status === 503;
    });
    for (const blamed of [clientId, `${documents.origin}/busy/late.json`])
      assert.equal(await findReason(server, blamed), undefined);
    holding.release();
    await Promise.all(answers);
    assert.equal((await request('/busy/late.json')).status, 303);
    await assert.rejects(refresh(), { error: 'invalid_grant' });
  });

  test('for the page of a logout takes turns by the network of its caller', async () => {
    await using server = await open({ TRUSTED_PROXIES: ['127.0.0.0/8', '::1'] });
    const ask = (path: string, address: string) => {
      const target = new URL(`${server.origin}/oidc/logout`);
      target.searchParams.set('client_id', `${documents.origin}${path}`);
      return fetch(target, { headers: { 'x-forwarded-for': address }, redirect: 'manual' });
    };
    const { ofHost, waiting } = outsideLimits;
    const paths = pathsOf('leaves', ofHost + waiting);
    // The thread that fetches starts now, and not while requests wait.
    await ask('/leaves/first.json', '203.0.113.9');
    using holding = hold([...paths, '/leaves/late.json']);
    const flood = paths.map((path) => ask(path, '198.51.100.7'));
    while (holding.held.length < ofHost) await fetch(`${server.origin}/health/live`);
    for (let count = 0; count < 20; count += 1) await fetch(`${server.origin}/health/live`);
    const late = ask('/leaves/late.json', '203.0.113.5');
    for (let count = 0; count < 20; count += 1) await fetch(`${server.origin}/health/live`);
    holding.release();
    assert.notEqual((await late).status, 503, 'it had a place, which a request of the other network left');
    const refused = (await Promise.all(flood)).filter(({ status }) => status === 503);
    assert.equal(refused.length, 1);
  });

  test('are keys once, however many requests an application signs', async () => {
    documents.answer('/once/jwks.json', (_request, response) => response.end(JSON.stringify(jwks)));
    const by = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${documents.origin}/once/jwks.json` };
    const clientId = documents.publish('/once.json', { ...document, ...by });
    const app = await createDocumentApplication(server, clientId, redirectUri, signed);
    for (let count = 0; count < 5; count += 1)
      await assert.rejects(openid.refreshTokenGrant(app.config, 'wrong'), { error: 'invalid_grant' });
    assert.equal(documents.asked.filter((path) => path === '/once/jwks.json').length, 1);
  });

  test('is no document once in a while, not at each request', async () => {
    const clientId = documents.answer('/never.json', (_request, response) => response.end('{"client_id":"another"}'));
    const app = await createDocumentApplication(server, clientId, redirectUri);
    for (let count = 0; count < 5; count += 1)
      assert.equal((await (await server.browser(false)).open((await app.begin()).address)).status, 400);
    assert.equal(documents.asked.filter((path) => path === '/never.json').length, 1);
  });
});

test('what outlives the session ends with a new password, also where the user was not asked again', async () => {
  const redirectUri = 'https://app.example.com/callback';
  const metadata = { client_name: 'Notes', redirect_uris: [redirectUri], ...usual, token_endpoint_auth_method: 'none' };
  const notes = await createDocumentApplication(server, documents.publish('/notes.json', metadata), redirectUri);
  const redirectUris = [redirectUri, 'com.example.app:/callback'];
  const program = await server.addApplication({ own: false, isPublic: true, redirectUris });
  const { sessions, users } = server.janua.services;
  for (const application of [notes, program]) {
    const browser = await server.browser();
    const asked = await application.begin({ scope: 'openid' });
    const page = await browser.open(asked.address);
    await application.finish(asked, requireAnswer(await browser.submit(page.url, { decision: 'allow' })));
    const again = await application.begin({ scope: 'openid' });
    const tokens = await application.finish(again, requireAnswer(await browser.open(again.address)));
    await sessions.endAllOf((await users.findByUsername(ann.username))?.user.id ?? '');
    const refreshed = await openid.refreshTokenGrant(application.config, tokens.refresh_token ?? '');
    assert.ok(refreshed.refresh_token, 'it outlives the session');
    await server.janua.people.setPassword(ann.username, password);
    await assert.rejects(openid.refreshTokenGrant(application.config, refreshed.refresh_token), {
      error: 'invalid_grant',
    });
    // The user is asked again: a thief may have given the consent.
    await browser.logIn(ann.username, password);
    const later = await application.begin({ scope: 'openid' });
    assert.match((await browser.open(later.address)).url.pathname, /^\/oidc\/interaction\//);
  }
});
