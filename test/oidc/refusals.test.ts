import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { explain } from '../../src/audit/explanation.ts';
import { events } from '../../src/site.ts';
import { createMigratedWorkplace, type Workplace } from '../commands/janua-command.ts';
import { ann, password } from '../janua.ts';
import { type Application, createApplication, openProvider, type ProviderUnderTest } from './application.ts';
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
}

const openAddress = async (server: ProviderUnderTest, app: Application, parameters: Record<string, string>) =>
  (await server.browser()).open((await app.begin(parameters)).address);

const cases: readonly Case[] = [
  {
    about: 'a redirect address that is not registered',
    send: (server, app) => openAddress(server, app, { redirect_uri: 'https://app.example.com/callback/' }),
    decided: /the redirect address is not one of those that the client has/,
    advice: /janua clients show [\w-]{22}/,
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
    advice: /npx janua clients set [\w-]{22} --pkce optional/,
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
    advice: /rotate-secret/,
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

  for (const { about, send, decided, advice } of cases)
    test(about, async () => {
      await send(server, app);
      const text = await explainLast(server);
      assert.match(text, decided);
      assert.match(text, advice);
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
