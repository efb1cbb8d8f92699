import assert from 'node:assert/strict';
import { createPublicKey, type JsonWebKeyInput, verify } from 'node:crypto';
import * as openid from 'openid-client';
import { defaultSettings, type NewClient } from '../../../src/capabilities/oidc/clients/clients.ts';
import type { Tables } from '../../../src/ground/database/schema.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { ann, password, startJanua, type TestJanua, type TestOptions } from '../../janua.ts';
import { Browser, type Place } from './browser.ts';

const redirectUri = 'https://app.example.com/callback';

/** A client that tests change. */
export const wiki: NewClient = {
  ...defaultSettings,
  ...{ name: 'Wiki', redirectUris: [redirectUri], own: true, isPublic: false },
};

/** An application that signs its users in at a server under test. */
export interface Application {
  readonly clientId: string;
  readonly secret: string | undefined;
  readonly redirectUri: string;
  readonly config: openid.Configuration;
  /** The address that begins a sign-in, and what the answer is checked with. */
  begin(parameters?: Readonly<Record<string, string>>): Promise<Begun>;
  /** Exchanges the code of an answer. */
  finish(begun: Begun, answer: URL): Promise<openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers>;
  /** A whole sign-in in a browser where the user is signed in. */
  signIn(
    browser: Browser,
    parameters?: Readonly<Record<string, string>>,
  ): Promise<openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers>;
}

export interface Begun {
  readonly address: URL;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

export interface ProviderUnderTest extends AsyncDisposable {
  readonly janua: TestJanua;
  readonly origin: string;
  /** A browser; signed in as Ann unless it is told otherwise. */
  browser(signedIn?: boolean): Promise<Browser>;
  addApplication(client?: Partial<NewClient>): Promise<Application>;
}

/** A server that listens. */
export async function openProvider(options: TestOptions = {}): Promise<ProviderUnderTest> {
  const janua = await startJanua({ ...options, settings: { PORT: 0, ...options.settings } });
  const origin = await janua.listen();

  return {
    janua,
    origin,
    async browser(signedIn = true) {
      const browser = new Browser(origin);
      if (signedIn) await browser.logIn(ann.username, password);
      return browser;
    },
    async addApplication(settings = {}) {
      const { client, secret } = await janua.services.clientAdministration.addClient({ ...wiki, ...settings });
      const authentication = secret === undefined ? openid.None() : openid.ClientSecretBasic(secret);
      return createApplication({
        origin,
        clientId: client.id,
        secret,
        authentication,
        redirectUris: client.redirectUris,
      });
    },
    [Symbol.asyncDispose]: janua[Symbol.asyncDispose],
  };
}

export async function createApplication(given: {
  readonly origin: string;
  readonly clientId: string;
  readonly secret: string | undefined;
  readonly authentication: openid.ClientAuth;
  readonly redirectUris: readonly string[];
}): Promise<Application> {
  const { origin, clientId, secret, authentication } = given;
  const [usualRedirect = redirectUri] = given.redirectUris;
  const config = await openid.discovery(new URL(origin), clientId, undefined, authentication, {
    execute: [openid.allowInsecureRequests],
  });

  async function begin(parameters: Readonly<Record<string, string>> = {}): Promise<Begun> {
    const [verifier, state, nonce] = [openid.randomPKCECodeVerifier(), openid.randomState(), openid.randomNonce()];
    const scope = parameters.scope ?? 'openid profile email groups';
    const address = openid.buildAuthorizationUrl(config, {
      redirect_uri: usualRedirect,
      scope,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      ...(scope.split(' ').includes('openid') && { nonce }),
      ...parameters,
    });
    return { address, verifier, state, nonce };
  }

  const finish = ({ verifier, state, nonce, address }: Begun, answer: URL) =>
    openid.authorizationCodeGrant(
      config,
      answer,
      {
        pkceCodeVerifier: verifier,
        expectedState: state,
        ...(address.searchParams.get('scope')?.includes('openid') && { expectedNonce: nonce, idTokenExpected: true }),
      },
      address.searchParams.has('resource') ? { resource: address.searchParams.get('resource') ?? '' } : {},
    );

  return {
    clientId,
    secret,
    redirectUri: usualRedirect,
    config,
    begin,
    finish,
    async signIn(browser, parameters) {
      const begun = await begin(parameters);
      return finish(begun, requireAnswer(await browser.open(begun.address)));
    },
  };
}

/** The address with the answer. @throws {Error} if the browser is still on the server */
export function requireAnswer({ isElsewhere, url, status, text }: Place): URL {
  if (!isElsewhere) throw new Error(`${status} at ${url.href}: ${text.replaceAll(/<[^>]*>|\s+/g, ' ').slice(0, 500)}`);
  return url;
}

/** What the provider says of a token. A client without a secret must not ask, and gets an error. */
export async function introspect({ config }: Application, token: string | undefined) {
  return openid.tokenIntrospection(config, token ?? '');
}

/** All rows of tables, as a thief of the database would read them. It must not be in memory. */
export async function rowsOf({ janua }: ProviderUnderTest, ...tables: (keyof Tables)[]): Promise<object[]> {
  await using opened = await openTestDatabase(janua.databaseUrl);
  const read = tables.map((table) => opened.database.selectFrom(table).selectAll().execute());
  return (await Promise.all(read)).flat();
}

/** Posts a form as a program does. */
export const post = (
  { origin }: Pick<ProviderUnderTest, 'origin'>,
  path: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  fetch(new URL(path, origin), { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' });

export const basic = ({ clientId, secret }: Pick<Application, 'clientId' | 'secret'>) => ({
  authorization: `Basic ${btoa(`${clientId}:${secret}`)}`,
});

/** What a code is exchanged with, as a program sends it. */
export const codeFields = ({ verifier, address }: Begun, answer: URL) => ({
  grant_type: 'authorization_code',
  code: answer.searchParams.get('code') ?? '',
  code_verifier: verifier,
  redirect_uri: address.searchParams.get('redirect_uri') ?? '',
});

const parse = (part: string | undefined) => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

/** A signed token, verified with the keys that the server publishes. */
export async function readToken({ origin }: Pick<ProviderUnderTest, 'origin'>, token: string) {
  const [head, body, signature = ''] = token.split('.');
  const { kid, alg, typ } = parse(head);
  const { keys } = (await (await fetch(`${origin}/oidc/jwks`)).json()) as {
    keys: (JsonWebKeyInput['key'] & { kid: string })[];
  };
  const key = keys.find((one) => one.kid === kid);
  assert.ok(key, `no key ${kid} among ${keys.map((one) => one.kid)}`);
  const verifier = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const;
  assert.ok(verify('sha256', Buffer.from(`${head}.${body}`), verifier, Buffer.from(signature, 'base64url')));
  return { kid, alg, typ, claims: parse(body) };
}
