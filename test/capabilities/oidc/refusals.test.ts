import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { createNoteRefusal, withoutSecrets } from '../../../src/capabilities/oidc/refused-requests.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
import { events } from '../../../src/site.ts';
import { createMigratedWorkplace, type Workplace } from '../../commands/janua-command.ts';
import { ann, password } from '../../janua.ts';
import {
  type Application,
  basic,
  codeFields,
  createApplication,
  openProvider,
  type ProviderUnderTest,
  post,
  requireAnswer,
} from './application.ts';
import { Browser } from './browser.ts';
import { type DocumentServer, startDocumentServer } from './document-server.ts';

let documents: DocumentServer;
before(async () => {
  documents = await startDocumentServer();
});
after(() => documents[Symbol.asyncDispose]());

const createPublic = (origin: string, clientId: string, redirectUri = 'https://app.example.com/callback') =>
  createApplication({
    ...{ origin, clientId, secret: undefined, redirectUris: [redirectUri] },
    authentication: openid.None(),
  });

/** What `janua explain` says about the last refusal. */
async function explainLast({ janua }: ProviderUnderTest): Promise<string> {
  for await (const event of janua.services.auditTrail.find({ order: 'newest-first' }))
    if ('kind' in event && event.kind === 'application-refused')
      return explain(event, events)
        .map((line) => line.join(' '))
        .join('\n');
  return assert.fail('nothing was refused');
}

interface Case {
  readonly about: string;
  readonly send: (server: ProviderUnderTest, app: Application) => Promise<unknown>;
  readonly decided: RegExp;
  readonly advice: RegExp;
  /** What the library says, and what was sent. */
  readonly says?: RegExp;
}

const openAddress = async (server: ProviderUnderTest, app: Application, parameters: Record<string, string>) =>
  (await server.browser()).open((await app.begin(parameters)).address);

const cases: readonly Case[] = [
  {
    about: 'a redirect address that is not registered',
    send: (server, app) => openAddress(server, app, { redirect_uri: 'https://app.example.com/callback/' }),
    decided: /the redirect address is not one of those that the client has/,
    advice: /janua clients set CLIENT --redirect-uri/,
    says: /Because redirect_uri did not match.*Parameter redirect_uri: https:\/\/app\.example\.com\/callback\/\n/s,
  },
  {
    about: 'a client that is not there',
    async send(server) {
      return openAddress(server, await createPublic(server.origin, 'AAAAAAAAAAAAAAAAAAAAAA'), {});
    },
    decided: /there is no client with that id/,
    advice: /janua clients list/,
  },
  {
    about: 'a resource that is not registered',
    send: (server, app) => openAddress(server, app, { resource: 'https://unknown.example.com/mcp' }),
    decided: /the resource is not registered/,
    advice: /janua resources add/,
    says: /Because unknown resource\nParameter resource: https:\/\/unknown\.example\.com\/mcp/,
  },
  {
    about: 'a request that is too long',
    send: (server, app) => openAddress(server, app, { prompt: 'login', login_hint: 'x'.repeat(3000) }),
    decided: /longer than one may be that waits/,
    advice: /Shorten state or claims/,
  },
  {
    about: 'a request without PKCE and nonce',
    async send(server, app) {
      const { address } = await app.begin();
      for (const name of ['code_challenge', 'code_challenge_method', 'nonce']) address.searchParams.delete(name);
      return (await server.browser()).open(address);
    },
    decided: /neither a code_challenge \(PKCE\) nor a nonce/,
    advice: /janua clients set CLIENT --pkce optional/,
  },
  {
    about: 'a public client without PKCE',
    async send(server) {
      const app = await server.addApplication({ isPublic: true });
      const { address } = await app.begin();
      for (const name of ['code_challenge', 'code_challenge_method']) address.searchParams.delete(name);
      return (await server.browser()).open(address);
    },
    decided: /which this client always has to send/,
    advice: /Switch PKCE with S256 on in the application\.$/m,
  },
  {
    about: 'a challenge that is sent in the clear',
    send: (server, app) => openAddress(server, app, { code_challenge_method: 'plain' }),
    decided: /the code_challenge was not by S256/,
    advice: /Switch PKCE/,
  },
  {
    about: 'a wrong secret',
    async send({ origin }, { clientId, config }) {
      const { token_endpoint: address = '' } = config.serverMetadata();
      assert.ok(address.startsWith(origin));
      return fetch(address, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${clientId}:wrong`)}` },
        body: new URLSearchParams({ grant_type: 'authorization_code', code: 'x', redirect_uri: 'https://x.example' }),
      });
    },
    decided: /a wrong secret/,
    advice: /rotate-secret CLIENT/,
    says: /Because client authentication failed: invalid secret provided/,
  },
  {
    about: 'a code that is not there',
    send: (_server, { config }) =>
      openid
        .genericGrantRequest(config, 'authorization_code', {
          ...{ code: 'x', redirect_uri: 'https://app.example.com/callback', code_verifier: 'x'.repeat(43) },
        })
        .catch(() => {}),
    decided: /the code or refresh token has expired/,
    advice: /Sign in again/,
  },
  {
    about: 'a response mode that there is not',
    send: (server, app) => openAddress(server, app, { response_mode: 'web_message' }),
    decided: /not as the protocol wants it/,
    advice: /Change it in the settings of the application/,
    says: /Because unsupported response_mode requested\nParameter response_mode: web_message/,
  },
  {
    about: 'a prompt that there is not',
    send: (server, app) => openAddress(server, app, { prompt: 'ask\u202ekindly' }),
    decided: /not as the protocol wants it/,
    advice: /Change it/,
    says: /Because unsupported prompt value requested\nParameter prompt: ask\ufffdkindly/,
  },
  {
    about: 'a code that is not sent',
    send: (server, app) => post(server, '/oidc/token', { grant_type: 'authorization_code' }, basic(app)),
    decided: /not as the protocol wants it/,
    advice: /Change it/,
    says: /Because missing required parameter.*Parameter redirect_uri: not sent\nParameter code: not sent/s,
  },
  {
    about: 'scopes of which there is none',
    send: (server, app) => openAddress(server, app, { scope: 'wiki:read' }),
    decided: /none of the scopes/,
    advice: /openid, profile, email/,
  },
  {
    about: 'a device request of a client that has no devices',
    send: (server, { clientId, secret }) =>
      post(server, '/oidc/device-authorization', { scope: 'openid' }, basic({ clientId, secret })),
    decided: /may not use the grant_type of the request/,
    advice: /janua clients set CLIENT --device/,
    says: /device_code.*not allowed|not allowed.*device_code/,
  },
  ...(['introspection', 'revocation'] as const).map((endpoint) => ({
    about: `${endpoint} with a wrong secret`,
    send: (server: ProviderUnderTest, { clientId }: Application) =>
      post(server, `/oidc/${endpoint}`, { token: 'x' }, basic({ clientId, secret: 'wrong' })),
    decided: /a wrong secret/,
    advice: /rotate-secret CLIENT/,
    says: /invalid secret provided/,
  })),
  {
    about: 'an access token at userinfo that is not there',
    send: ({ origin }) => fetch(`${origin}/oidc/userinfo`, { headers: { authorization: 'Bearer wrong' } }),
    decided: /there was no access token, or it has expired/,
    advice: /uses its refresh token/,
    says: /Because invalid token provided: access token not found/,
  },
  {
    about: 'a sign-in that has ended',
    send: async (server) => (await server.browser()).open('/oidc/interaction/gone'),
    decided: /the sign-in has ended/,
    advice: /opens the application anew/,
  },
  {
    about: 'the end of a sign-in that has ended',
    send: async (server) => (await server.browser()).open('/oidc/auth/gone'),
    decided: /the sign-in has ended/,
    advice: /opens the application anew/,
  },
  {
    about: 'an address of 8,193 characters',
    send: (server, app) => openAddress(server, app, { state: 'x'.repeat(8200) }),
    decided: /longer than one may be/,
    advice: /the whole address 8,192/,
  },
  {
    about: 'a device that does not wait',
    send: async (server) =>
      (await server.browser()).submit('/oidc/device', { user_code: 'BBBB-BBBB', decision: 'allow' }),
    decided: /no device waits with that code/,
    advice: /the device shows a new code/,
  },
  {
    about: 'a document that is missing',
    send: async (server) =>
      openAddress(server, await createPublic(server.origin, `${documents.origin}/missing.json`), {}),
    decided: /could not be fetched/,
    advice: /three seconds/,
  },
  {
    about: 'a document with a secret',
    async send(server) {
      const document = { client_secret: 'x', redirect_uris: ['https://app.example.com/callback'] };
      return openAddress(server, await createPublic(server.origin, documents.publish('/secret.json', document)), {});
    },
    decided: /does not describe a client that may be used/,
    advice: /at `debug`/,
  },
  {
    about: 'a document of a host that is not allowed',
    send: async (server) =>
      openAddress(server, await createPublic(server.origin, 'https://other.example.com/client.json'), {}),
    decided: /the host of the document is not allowed/,
    advice: /CLIENT_ID_METADATA/,
  },
];

describe('what was refused is explained', () => {
  let server: ProviderUnderTest;
  let app: Application;
  before(async () => {
    server = await openProvider({
      settings: { CLIENT_ID_METADATA: [documents.host], OIDC_PRIVATE_HOSTS: ['localhost'] },
    });
    app = await server.addApplication();
  });
  after(() => server[Symbol.asyncDispose]());

  for (const { about, send, decided, advice, says } of cases)
    test(about, async () => {
      await send(server, app);
      // With the id in place of the word, a pattern need not know it.
      const text = (await explainLast(server)).replaceAll(app.clientId, 'CLIENT');
      assert.match(text, decided);
      assert.match(text, advice);
      if (says !== undefined) assert.match(text, says);
    });

  test('without what proves anything: codes, tokens, secrets, verifiers, assertions and hints', async () => {
    const [application, browser] = [await server.addApplication(), await server.browser()];
    const begun = await application.begin();
    const answer = requireAnswer(await browser.open(begun.address));
    const secret = (name: string) => `canary-${name}-0123456789012345678901234567890123`;
    const { code = '', ...fields } = codeFields(begun, answer) as Record<string, string>;
    const tokens = await application.signIn(browser);
    const used = basic(application);
    await post(server, '/oidc/token', { ...fields, code, code_verifier: secret('verifier') }, used);
    await post(server, '/oidc/token', { ...fields, code: secret('code') }, used);
    await post(server, '/oidc/token', { grant_type: 'refresh_token', refresh_token: secret('refresh') }, used);
    const assertion = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' };
    await post(server, '/oidc/token', { ...fields, ...assertion, client_assertion: secret('assertion') });
    await post(server, '/oidc/token', { ...fields, client_id: application.clientId, client_secret: secret('secret') });
    await post(server, '/oidc/token', { ...fields, client_id: secret('client'), client_secret: secret('secret') });
    await post(server, '/oidc/introspection', { token: secret('token') });
    await fetch(`${server.origin}/oidc/userinfo?access_token=${secret('access')}`);
    const hint = tokens.id_token ?? '';
    for (const redirect of [
      `https://app.example.com/callback?code=${secret('code')}&session_state=${secret('state')}&a=b`,
      `https://app.example.com/#id_token=${hint}`,
      `https%3A%2F%2Fapp.example.com%2F%3Fa%3Db%26code%3D${secret('encoded')}`,
      `https%253A%252F%252Fapp.example.com%252F%253Fcode%253D${secret('encoded-twice')}`,
      `code=${secret('alone')}`,
      `https://user:${secret('password')}@app.example.com/`,
      `https://app.example.com/janua_${secret('token-of-janua')}`,
      `https://app.example.com/${hint}`,
    ])
      await browser.open((await application.begin({ redirect_uri: redirect })).address);
    await browser.open((await application.begin({ id_token_hint: `${hint}x`, prompt: 'none' })).address);
    const leaves = {
      id_token_hint: `${hint}x`,
      post_logout_redirect_uri: `https://x.example/?token=${secret('token')}`,
    };
    await browser.open(`/oidc/logout?${new URLSearchParams(leaves)}`);
    const rows = JSON.stringify(await server.janua.events({ order: 'newest-first' }));
    assert.ok(rows.includes('https://app.example.com/callback?code='), 'the rest of the address is kept');
    assert.ok(rows.includes('a=b'));
    for (const kept of ['canary', code, hint.split('.')[2] ?? '', application.secret ?? '', begun.verifier])
      assert.ok(!rows.includes(kept), kept);
  });

  test('also in the log', async () => {
    const lines: unknown[] = [];
    const note = createNoteRefusal(server.janua.services.audit, {
      debug: (line: unknown) => lines.push(line),
    } as never);
    const detail = 'redirect_uri https://app.example.com/?code=canary did not match';
    await note({ error: 'invalid_redirect_uri', detail, clientId: 'canary', parameters: {}, request: undefined });
    await note({ error: 'invalid_client', detail: 'x', clientId: app.clientId, parameters: {}, request: undefined });
    assert.doesNotMatch(JSON.stringify(lines), /canary/);
    assert.ok(JSON.stringify(lines).includes(app.clientId));
  });

  test('in a time that grows with the length of what was sent, and no faster', () => {
    for (const part of ['eyJ-', 'eyJ', '//', 'janua_', '-code', '%25', '?', '@'])
      assert.ok(withoutSecrets(part.repeat(1_000_000 / part.length)).length > 0, part);
  });

  test('as long as it is short: a text of any length is cut', async () => {
    const scope = `wiki:${'x'.repeat(1500)}`;
    await openAddress(server, app, { scope });
    for (const line of (await explainLast(server)).split('\n')) assert.ok(line.length < 400, line);
  });
});

describe('with the command, by the request id of the error page', () => {
  let workplace: Workplace;
  before(async () => {
    workplace = await createMigratedWorkplace();
  });
  after(() => workplace[Symbol.asyncDispose]());

  test('a faulty document is explained, and the log says at debug what is wrong with it', async () => {
    const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
    await workplace.run(['users', 'add', ann.username, ...names], { input: `${password}\n` });
    const janua = await workplace.start(['serve'], {
      ...{ CLIENT_ID_METADATA: documents.host, OIDC_PRIVATE_HOSTS: 'localhost', LOG_LEVEL: 'debug' },
      NODE_EXTRA_CA_CERTS: documents.certificate,
    });
    const origin = janua.url.replace('127.0.0.1', 'localhost');
    const browser = new Browser(origin);
    await browser.logIn(ann.username, password);
    const clientId = documents.publish('/moved.json', {});
    documents.answer('/moved.json', (_request, response) => response.writeHead(301, { location: '/other.json' }).end());
    const { address } = await (await createPublic(origin, clientId)).begin();
    const logged = new Promise<string>((done) => {
      let output = '';
      janua.process.stdout.on('data', (text) => {
        output += text;
        const line = output.split('\n').find((one) => one.includes('"application_refused"') && one.endsWith('}'));
        if (line !== undefined) done(line);
      });
    });
    janua.process.stdout.resume();
    const { headers, text } = await browser.open(address);
    const id = headers.get('x-request-id') ?? '';
    assert.ok(text.includes(id));
    const { stdout } = await workplace.run(['explain', id]);
    assert.match(stdout, /could not be fetched/);
    assert.ok(stdout.includes(clientId));
    assert.match(JSON.parse(await logged).detail, /the answer is 301/);
    await janua.stop();
  });
});
