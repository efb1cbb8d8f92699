import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import type { NewClient, PkceSetting } from '../../../src/capabilities/oidc/clients/clients.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
import { events } from '../../../src/site.ts';
import {
  type Application,
  type Begun,
  basic,
  codeFields,
  createApplication,
  openProvider,
  type ProviderUnderTest,
  post,
  requireAnswer,
} from './application.ts';
import { type DocumentServer, startDocumentServer } from './document-server.ts';

let documents: DocumentServer;
let server: ProviderUnderTest;
before(async () => {
  documents = await startDocumentServer();
  server = await openProvider({
    settings: { CLIENT_ID_METADATA: [documents.host], OIDC_PRIVATE_HOSTS: ['localhost'] },
  });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await documents[Symbol.asyncDispose]();
});

/** What a program puts into its request beside `state`. */
const sends = {
  challenge: ['code_challenge', 'code_challenge_method'],
  nonce: ['nonce'],
  both: ['code_challenge', 'code_challenge_method', 'nonce'],
  neither: [],
} as const;
type Sends = keyof typeof sends;

async function begin(app: Application, what: Sends, parameters: Readonly<Record<string, string>> = {}) {
  const begun = await app.begin(parameters);
  for (const name of sends.both)
    if (!(sends[what] as readonly string[]).includes(name)) begun.address.searchParams.delete(name);
  return begun;
}

async function ask(app: Application, what: Sends, parameters: Readonly<Record<string, string>> = {}) {
  const begun = await begin(app, what, parameters);
  const browser = await server.browser();
  const page = await browser.open(begun.address);
  // A program of the machine has to be let in each time.
  const place = page.isElsewhere ? page : await browser.submit(page.url, { decision: 'allow' });
  return { begun, answer: requireAnswer(place) };
}

/** @param changes fields that are sent instead. Undefined: that are not sent */
async function redeem(
  app: Application,
  begun: Begun,
  answer: URL,
  changes: Readonly<Record<string, string | undefined>> = {},
) {
  const fields = { ...codeFields(begun, answer), ...changes };
  const sent = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const answered = await post(server, '/oidc/token', Object.fromEntries(sent), basic(app));
  return (await answered.json()) as { error?: string; id_token?: string };
}

const withoutVerifier = { code_verifier: undefined };

/** What `janua explain` says about the last refusal. */
async function explainLast(): Promise<string> {
  for await (const event of server.janua.services.auditTrail.find({ order: 'newest-first' }))
    if ('kind' in event && event.kind === 'application-refused')
      return explain(event, events)
        .map((line) => line.join(' '))
        .join('\n');
  return assert.fail('nothing was refused');
}

describe('programs that send no challenge by their defaults', () => {
  const programs: readonly (readonly [program: string, sends: Sends])[] = [
    ['Keycloak 26 as a broker', 'nonce'],
    ['Spring Boot 3.5', 'nonce'],
    ['python-social-auth', 'nonce'],
    ['mozilla-django-oidc', 'nonce'],
    ['Authlib for Flask', 'nonce'],
    ['flask-oidc', 'nonce'],
    ['Superset', 'nonce'],
    ['pgAdmin', 'nonce'],
    ['django-allauth', 'neither'],
    ['next-auth 4', 'neither'],
    ['passport-openidconnect', 'neither'],
    ['Gitea', 'neither'],
  ];
  for (const [program, what] of programs) {
    test(`${program} signs in with ${what === 'nonce' ? 'its nonce' : 'the setting that explain names'}`, async () => {
      const app = await server.addApplication();
      if (what === 'neither') {
        const { answer } = await ask(app, what);
        assert.equal(answer.searchParams.get('error'), 'invalid_request');
        assert.match(answer.searchParams.get('error_description') ?? '', /code_challenge.*or a nonce/);
        const text = await explainLast();
        const [, id = '', setting = ''] = /janua clients set (\S+) --pkce (\w+)/.exec(text) ?? assert.fail(text);
        assert.equal(id, app.clientId);
        await server.janua.services.clientAdministration.changeClient(id, { pkce: setting as PkceSetting });
      }
      const { begun, answer } = await ask(app, what);
      assert.ok((await redeem(app, begun, answer, withoutVerifier)).id_token);
    });
  }

  test('a client that demands a challenge refuses a nonce, until the command of explain was run', async () => {
    const app = await server.addApplication({ pkce: 'required' });
    assert.equal((await ask(app, 'nonce')).answer.searchParams.get('error'), 'invalid_request');
    assert.match(await explainLast(), new RegExp(`janua clients set ${app.clientId} --pkce nonce`));
    await server.janua.services.clientAdministration.changeClient(app.clientId, { pkce: 'nonce' });
    const { begun, answer } = await ask(app, 'nonce');
    assert.ok((await redeem(app, begun, answer, withoutVerifier)).id_token);
  });
});

interface Case {
  readonly client: string;
  readonly settings: Partial<NewClient>;
  readonly parameters?: Readonly<Record<string, string>>;
  /** What is enough. A challenge always is. */
  readonly suffices: readonly Sends[];
}

const loopback = ['http://127.0.0.1/callback'];
const cases: readonly Case[] = [
  { client: 'a client with a secret', settings: {}, suffices: ['nonce'] },
  {
    client: 'a client with a secret, without the scope openid',
    settings: { pkce: 'nonce' },
    parameters: { scope: 'profile' },
    suffices: [],
  },
  { client: 'a client with a secret on loopback', settings: { redirectUris: loopback }, suffices: ['nonce'] },
  { client: 'a client that demands a challenge', settings: { pkce: 'required' }, suffices: [] },
  { client: 'a client for which neither is demanded', settings: { pkce: 'optional' }, suffices: ['nonce', 'neither'] },
  { client: 'a public client', settings: { isPublic: true }, suffices: [] },
  { client: 'a public client on loopback', settings: { isPublic: true, redirectUris: loopback }, suffices: [] },
  {
    client: 'a public client with a scheme of its own',
    settings: { isPublic: true, redirectUris: ['com.example.app:/callback'] },
    suffices: [],
  },
];

describe('without a challenge', () => {
  for (const { client, settings, parameters = {}, suffices } of cases) {
    test(`${client} gets a code with ${suffices.join(', or ') || 'nothing else'}`, async () => {
      const app = await server.addApplication(settings);
      for (const what of ['challenge', 'nonce', 'neither'] as const) {
        const sent = what === 'nonce' ? { ...parameters, nonce: 'n' } : parameters;
        const { answer } = await ask(app, what, sent);
        const isEnough = what === 'challenge' || suffices.includes(what);
        assert.equal(answer.searchParams.has('code'), isEnough, `${what}: ${answer.search}`);
        if (isEnough) continue;
        assert.equal(answer.searchParams.get('error'), 'invalid_request');
        const isOffered = (answer.searchParams.get('error_description') ?? '').includes('or a nonce');
        if (what === 'neither' && parameters.scope === undefined) assert.equal(isOffered, suffices.includes('nonce'));
      }
    });
  }

  test('a client that describes itself gets no code, even if it proves itself by a key', async () => {
    const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
    const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)), kid: 'k', alg: 'ES256', use: 'sig' };
    const redirectUri = 'https://app.example.com/callback';
    const methods = [
      ['none', {}],
      ['private_key_jwt', { jwks: { keys: [jwk] }, token_endpoint_auth_signing_alg: 'ES256', pkce: 'optional' }],
    ] as const;
    for (const [method, rest] of methods) {
      const address = documents.publish(`/${method}.json`, {
        ...{ client_name: 'Assistant', redirect_uris: [redirectUri], token_endpoint_auth_method: method },
        ...rest,
      });
      const app = await createApplication({
        ...{ origin: server.origin, clientId: address, secret: undefined, redirectUris: [redirectUri] },
        authentication: openid.None(),
      });
      assert.ok((await ask(app, 'both')).answer.searchParams.has('code'), method);
      for (const what of ['nonce', 'neither'] as const)
        assert.equal((await ask(app, what)).answer.searchParams.get('error'), 'invalid_request', `${method} ${what}`);
    }
  });
});

describe('a challenge', () => {
  for (const pkce of ['nonce', 'required', 'optional'] as const) {
    test(`is by S256 alone, and is met, where the setting is ${pkce}`, async () => {
      const app = await server.addApplication({ pkce });
      for (const wrong of [{ code_challenge_method: 'plain' }, { code_challenge_method: '' }, { code_challenge: 'x' }])
        assert.equal((await ask(app, 'both', wrong)).answer.searchParams.get('error'), 'invalid_request');
      for (const code_verifier of [undefined, '', openid.randomPKCECodeVerifier(), 'x']) {
        const { begun, answer } = await ask(app, 'both');
        const { error = '' } = await redeem(app, begun, answer, { code_verifier });
        assert.match(error, /^invalid_(grant|request)$/, String(code_verifier));
      }
    });

    if (pkce !== 'required')
      test(`that was taken out on the way is missed at the token endpoint, where the setting is ${pkce}`, async () => {
        const app = await server.addApplication({ pkce });
        const { begun, answer } = await ask(app, 'nonce');
        const { error, id_token } = await redeem(app, begun, answer);
        assert.deepEqual([error, id_token], ['invalid_grant', undefined]);
      });
  }

  test('of one client lets no other redeem the code, whatever their settings', async () => {
    const settings = ['nonce', 'required', 'optional'] as const;
    const apps = await Promise.all(settings.map((pkce) => server.addApplication({ pkce })));
    for (const app of apps)
      for (const other of apps.filter((one) => one !== app))
        for (const changes of [{}, withoutVerifier]) {
          const { begun, answer } = await ask(app, 'both');
          assert.equal((await redeem(other, begun, answer, changes)).error, 'invalid_grant');
        }
  });
});

describe('neither challenge nor nonce', () => {
  const fault = [{ field: 'pkce', code: 'pkce-not-optional' }];
  const forbidden: readonly (readonly [string, Partial<NewClient>])[] = [
    ['a public client', { isPublic: true }],
    ['a client on loopback', { redirectUris: loopback }],
    ['a client on https and loopback', { redirectUris: ['https://app.example.com/callback', ...loopback] }],
  ];
  for (const [client, settings] of forbidden)
    test(`is not allowed to ${client}, neither at first nor later`, async () => {
      const { clientAdministration } = server.janua.services;
      await assert.rejects(server.addApplication({ ...settings, pkce: 'optional' }), { faults: fault });
      const { clientId } = await server.addApplication(settings);
      await assert.rejects(clientAdministration.changeClient(clientId, { pkce: 'optional' }), { faults: fault });
      if (settings.isPublic) return;
      const lax = await server.addApplication({ pkce: 'optional' });
      const addresses = { redirectUris: settings.redirectUris ?? [] };
      await assert.rejects(clientAdministration.changeClient(lax.clientId, addresses), { faults: fault });
    });
});
