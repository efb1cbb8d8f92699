import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { asJson } from '../../../web/faces.ts';
import { basic, openProvider, type ProviderUnderTest } from '../application.ts';

let server: ProviderUnderTest;
let client: Record<string, string>;
before(async () => {
  server = await openProvider();
  client = basic(await server.addApplication());
});
after(() => server[Symbol.asyncDispose]());

const posted = [
  ...['/oidc/token', '/oidc/userinfo', '/oidc/introspection', '/oidc/revocation', '/oidc/device-authorization'],
  ...['/oidc/auth', '/oidc/logout', '/oidc/par'],
];
const opened = [
  ...['/oidc/userinfo', '/oidc/jwks', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'],
  ...['/oidc/auth', '/oidc/auth/x', '/oidc/logout'],
];

const ask = (path: string, method: string, query: string, body?: string) =>
  fetch(`${server.origin}${path}?${query}`, {
    method,
    ...(body !== undefined && { body: new URLSearchParams(body) }),
    headers: { ...asJson, ...client },
  });

const many = Array.from({ length: 51 }, (_, index) => `a${index}=b`).join('&');

/** Requests that may not reach the library, with the status of the answer. */
const unbounded: readonly (readonly [name: string, text: string, status: number])[] = [
  ['a parameter twice', 'state=a&state=b', 400],
  ['an unknown parameter twice', 'a&a', 400],
  ['a parameter twice, of which one is escaped', 'state=a&st%61te=b', 400],
  ['more than 50 parameters', many, 400],
  ['more than 50 resources', 'resource=https://a.example&'.repeat(51), 400],
];

for (const path of posted)
  describe(`POST ${path}`, () => {
    for (const [name, text, status] of unbounded)
      test(`refuses ${name}, in query and body`, async () => {
        for (const answer of [await ask(path, 'POST', text, 'a=b'), await ask(path, 'POST', '', text)]) {
          assert.equal(answer.status, status);
          const { error, error_description: description } = (await answer.json()) as Record<string, string>;
          assert.equal(error, 'invalid_request');
          assert.match(description ?? '', /parameter/);
        }
      });
  });

for (const path of opened)
  describe(`GET ${path}`, () => {
    for (const [name, text, status] of [
      ...unbounded,
      ['more than 8,192 characters', 'a'.repeat(8192), 414],
      ['a nonce of more than 512 characters', `nonce=${'a'.repeat(513)}`, 414],
      ['an address of more than 261 characters', `redirect_uri=https://a.example/${'a'.repeat(250)}`, 414],
    ] as const)
      test(`refuses ${name}`, async () => {
        const answer = await ask(path, 'GET', text);
        assert.equal(answer.status, status);
        assert.equal(((await answer.json()) as Record<string, string>).error, 'invalid_request');
      });
  });

test('a request may name several resources', async () => {
  const several = 'grant_type=refresh_token&refresh_token=x&resource=https://a.example&resource=https://b.example';
  const answer = await ask('/oidc/token', 'POST', '', several);
  assert.equal(((await answer.json()) as Record<string, string>).error, 'invalid_grant');
});

test('a user sees a page of Janua when a sign-in has a parameter twice', async () => {
  const answer = await fetch(`${server.origin}/oidc/auth?state=a&state=b`);
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /has a parameter twice/);
});
