import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { ann } from '../janua.ts';
import { openProvider, requireAnswer } from './application.ts';

interface AppRequest {
  readonly query: Readonly<Record<string, string>>;
  readonly session: object;
}

/** A strategy as Passport uses it: it gets the ways to end a request, one of which it calls. */
interface Strategy {
  redirect(address: string): void;
  success(profile: { readonly id: string; readonly username?: string }): void;
  fail(info: unknown): void;
  error(error: Error): void;
  authenticate(request: AppRequest): void;
}

type Verify = (issuer: string, profile: object, verified: (error: null, user: object) => void) => void;

const { Strategy } = createRequire(import.meta.url)('passport-openidconnect') as {
  Strategy: new (options: Readonly<Record<string, unknown>>, verify: Verify) => Strategy;
};

for (const [settings, options, pkce] of [
  ['its defaults, which send neither a challenge nor a nonce', {}, 'optional'],
  ['its option for a nonce', { nonce: true }, 'nonce'],
] as const)
  test(`an application with passport-openidconnect signs a user in by ${settings}`, async () => {
    await using server = await openProvider();
    const { clientId, secret, redirectUri } = await server.addApplication({ pkce });
    const strategy = new Strategy(
      {
        ...{ issuer: server.origin, clientID: clientId, clientSecret: secret, callbackURL: redirectUri },
        ...{ authorizationURL: `${server.origin}/oidc/auth`, tokenURL: `${server.origin}/oidc/token` },
        ...{ userInfoURL: `${server.origin}/oidc/userinfo`, scope: 'profile email', ...options },
      },
      (_issuer, profile, verified) => verified(null, profile),
    );
    const session = {};
    const run = (query: AppRequest['query']) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      strategy.redirect = strategy.success = resolve;
      strategy.error = reject;
      strategy.fail = (info) => reject(new Error(JSON.stringify(info)));
      strategy.authenticate({ query, session });
      return promise;
    };

    const browser = await server.browser();
    const answer = requireAnswer(await browser.open(String(await run({}))));
    const profile = await run(Object.fromEntries(answer.searchParams));
    assert.deepEqual((profile as { emails: object[] }).emails, [{ value: ann.username }]);
  });
