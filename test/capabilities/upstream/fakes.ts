import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { CustomFetch } from 'openid-client';

type Claims = Record<string, unknown>;

/** What a hostile or broken provider does otherwise. */
export interface Tricks {
  /** Changes the claims of the ID token. */
  readonly claims?: Claims;
  readonly header?: Claims;
  readonly signature?: 'none' | 'foreign';
  /** The id of its key. Default: `k1` */
  readonly kid?: string;
  /** Changes what it says about itself. */
  readonly discovery?: Claims;
  /** What userinfo says in place of the claims. */
  readonly userinfo?: Claims;
  readonly omitsIdToken?: boolean;
  /** Of every answer but that of discovery. */
  readonly status?: number;
  readonly isAway?: boolean;
}

interface Grant {
  readonly query: URLSearchParams;
  readonly claims: Claims;
}

export interface FakeProvider {
  readonly fetch: CustomFetch;
  tricks: Tricks;
  /** Calls by their address, without query. */
  readonly calls: string[];
  /** What the provider does once its user has agreed: it sends the browser back to this address. */
  authorize(url: string, claims?: Claims): string;
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });
const foreignKey = foreign.privateKey;

/** Verifies a signature that is foreign. */
export const foreignJwk = { ...foreign.publicKey.export({ format: 'jwk' }), kid: 'k1' };

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function signToken(header: Claims, claims: Claims, key: KeyObject | undefined): string {
  const text = `${encode({ typ: 'JWT', kid: 'k1', alg: 'RS256', ...header })}.${encode(claims)}`;
  return `${text}.${key === undefined ? '' : sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

interface Speech {
  readonly authorization: string;
  readonly token: string;
  readonly documents: Readonly<Record<string, (bearer: Grant | undefined) => unknown>>;
  /** The body of the token answer. */
  answer(grant: Grant, accessToken: string): object;
  readonly refusal: { readonly status: number; readonly body: object };
  /** What the browser brings back besides code and state. */
  readonly iss?: string;
}

const sentTo = ({ headers, body }: { headers: Record<string, string>; body?: unknown }) => ({
  headers: new Headers(headers),
  form: new URLSearchParams(String(body ?? '')),
});

/** Codes work once, for the client, its redirect address and the verifier of the challenge. */
function createFake(speak: (fake: { tricks: Tricks }) => Speech): FakeProvider {
  const grants = new Map<string, Grant>();
  const tokens = new Map<string, Grant>();
  const fake = { tricks: {} as Tricks, calls: [] as string[] };
  const speech = speak(fake);

  function redeem(form: URLSearchParams): Response {
    const grant = grants.get(form.get('code') ?? '');
    grants.delete(form.get('code') ?? '');
    const challenge = hash('sha256', form.get('code_verifier') ?? '', 'base64url');
    const isGood =
      grant !== undefined &&
      form.get('client_id') === 'janua' &&
      form.get('client_secret') === 'our secret' &&
      form.get('redirect_uri') === grant.query.get('redirect_uri') &&
      challenge === grant.query.get('code_challenge');
    if (!isGood) return Response.json(speech.refusal.body, { status: speech.refusal.status });
    const accessToken = randomBytes(16).toString('hex');
    tokens.set(accessToken, grant);
    return Response.json(speech.answer(grant, accessToken));
  }

  return Object.assign(fake, {
    fetch: (async (address, init) => {
      const url = address.split('?')[0] ?? '';
      fake.calls.push(url);
      if (fake.tricks.isAway) throw new TypeError('fetch failed');
      const { headers, form } = sentTo(init as Parameters<typeof sentTo>[0]);
      // GitHub refuses programs without a name.
      assert.ok(headers.get('user-agent'));
      const isDiscovery = url.includes('/.well-known/');
      if (fake.tricks.status && !isDiscovery) return new Response('', { status: fake.tricks.status });
      if (url === speech.token) return redeem(form);
      const document = speech.documents[url];
      if (document === undefined) return new Response('', { status: 404 });
      const bearer = tokens.get(headers.get('authorization')?.replace(/^bearer /i, '') ?? '');
      const found = document(bearer);
      return found === undefined ? new Response('', { status: 401 }) : Response.json(found);
    }) satisfies CustomFetch,

    authorize(url: string, claims: Claims = {}) {
      const { origin, pathname, searchParams: query } = new URL(url);
      assert.equal(origin + pathname, speech.authorization);
      assert.equal(query.get('code_challenge_method'), 'S256');
      const code = randomBytes(16).toString('hex');
      grants.set(code, { query, claims });
      const back = new URL(query.get('redirect_uri') ?? '');
      const answer = { code, state: query.get('state') ?? '', ...(speech.iss && { iss: speech.iss }) };
      for (const [name, value] of Object.entries(answer)) back.searchParams.set(name, value);
      return back.href;
    },
  });
}

const keysOf = ({ kid = 'k1' }: Tricks = {}) => ({
  keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }],
});

function idToken({ tricks }: { tricks: Tricks }, { query, claims }: Grant, issuer: string): string {
  const time = Math.floor(Date.now() / 1000);
  const usual = { iss: issuer, aud: 'janua', iat: time, exp: time + 3600, nonce: query.get('nonce') };
  const key = { none: undefined, foreign: foreignKey, usual: privateKey }[tricks.signature ?? 'usual'];
  return signToken(
    { ...(tricks.kid && { kid: tricks.kid }), ...tricks.header },
    { ...usual, ...claims, ...tricks.claims },
    key,
  );
}

/** What an OpenID provider says about itself. */
const describe = (issuer: string, more: Claims) => ({
  issuer,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
  ...more,
});

const tokenAnswer = (fake: { tricks: Tricks }, grant: Grant, accessToken: string, issuer: string) => ({
  access_token: accessToken,
  token_type: 'Bearer',
  expires_in: 3599,
  scope: grant.query.get('scope'),
  ...(!fake.tricks.omitsIdToken && { id_token: idToken(fake, grant, issuer) }),
});

const invalidGrant = { status: 400, body: { error: 'invalid_grant', error_description: 'Bad Request' } };

/** As of November 2026: the addresses, the claims and `iss` in the answer. */
export const createGoogle = () =>
  createFake((fake) => {
    const issuer = 'https://accounts.google.com';
    const authorization = `${issuer}/o/oauth2/v2/auth`;
    const token = 'https://oauth2.googleapis.com/token';
    const [keys, userinfo] = [
      'https://www.googleapis.com/oauth2/v3/certs',
      'https://openidconnect.googleapis.com/v1/userinfo',
    ];
    return {
      authorization,
      token,
      iss: issuer,
      documents: {
        [`${issuer}/.well-known/openid-configuration`]: () =>
          describe(issuer, {
            ...{
              authorization_endpoint: authorization,
              token_endpoint: token,
              jwks_uri: keys,
              userinfo_endpoint: userinfo,
            },
            ...{
              authorization_response_iss_parameter_supported: true,
              code_challenge_methods_supported: ['plain', 'S256'],
            },
            ...fake.tricks.discovery,
          }),
        [keys]: () => keysOf(fake.tricks),
        [userinfo]: (grant) => grant && { ...grant.claims, ...fake.tricks.userinfo },
      },
      answer: (grant, accessToken) => tokenAnswer(fake, grant, accessToken, issuer),
      refusal: invalidGrant,
    };
  });

export const googleUser = (changes: Claims = {}): Claims => ({
  sub: '110169484474386276334',
  azp: 'janua',
  email: 'gail@gmail.com',
  email_verified: true,
  name: 'Gail Green',
  given_name: 'Gail',
  family_name: 'Green',
  picture: 'https://lh3.googleusercontent.com/a/x',
  ...changes,
});

/** The issuer of several tenants has a place for the tenant, and the keys have no `alg`. */
export const createMicrosoft = (tenant: string) =>
  createFake((fake) => {
    const base = 'https://login.microsoftonline.com';
    const issuer = `${base}/${/^[0-9a-f-]{36}$/.test(tenant) ? tenant : '{tenantid}'}/v2.0`;
    const [authorization, token] = [`${base}/${tenant}/oauth2/v2.0/authorize`, `${base}/${tenant}/oauth2/v2.0/token`];
    const keys = `${base}/${tenant}/discovery/v2.0/keys`;
    return {
      authorization,
      token,
      documents: {
        [`${base}/${tenant}/v2.0/.well-known/openid-configuration`]: () =>
          describe(issuer, {
            ...{ authorization_endpoint: authorization, token_endpoint: token, jwks_uri: keys },
            token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
            userinfo_endpoint: 'https://graph.microsoft.com/oidc/userinfo',
          }),
        [keys]: () => keysOf(fake.tricks),
        'https://graph.microsoft.com/oidc/userinfo': (grant) =>
          grant && { sub: grant.claims.sub, name: grant.claims.name },
      },
      answer: (grant, accessToken) =>
        tokenAnswer(fake, grant, accessToken, issuer.replace('{tenantid}', String(grant.claims.tid))),
      refusal: invalidGrant,
    };
  });

export const microsoftUser = (changes: Claims = {}): Claims => ({
  sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
  tid: '3aa4a235-b6e2-48d5-9195-7fcf05b459b0',
  oid: '6467882c-fdfd-4354-a1ed-4e13f064be25',
  name: 'Mia May',
  preferred_username: 'mia@contoso.example',
  email: 'mia@contoso.example',
  ver: '2.0',
  ...changes,
});

/** No OpenID: a wrong code is a 200 with an error, and the address is behind another call. */
export const createGitHub = () =>
  createFake((fake) => ({
    authorization: 'https://github.com/login/oauth/authorize',
    token: 'https://github.com/login/oauth/access_token',
    documents: {
      'https://api.github.com/user': (grant) =>
        grant && { ...grant.claims, emails: undefined, ...fake.tricks.userinfo },
      'https://api.github.com/user/emails': (grant) => grant?.claims.emails,
    },
    answer: (_grant, accessToken) => ({
      access_token: accessToken,
      token_type: 'bearer',
      scope: 'read:user,user:email',
    }),
    refusal: { status: 200, body: { error: 'bad_verification_code', error_description: 'The code is incorrect' } },
  }));

export const gitHubUser = (changes: Claims = {}): Claims => ({
  id: 583_231,
  login: 'octocat',
  name: null,
  email: null,
  emails: [
    { email: 'other@example.org', primary: false, verified: true, visibility: null },
    { email: 'octo@example.com', primary: true, verified: true, visibility: 'private' },
  ],
  ...changes,
});
