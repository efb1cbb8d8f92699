import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Strategy } from 'passport-openidconnect';
import { ann } from '../../janua.ts';
import { openProvider, requireAnswer } from './application.ts';

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
    const run = (query: Readonly<Record<string, string>>) => {
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
