import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startIssuer } from './issuer.ts';
import { open } from './opened.ts';

describe('with an issuer by oidc-provider', () => {
  for (const method of ['client_secret_basic', 'client_secret_post'] as const)
    test(`a user signs in, and Janua authenticates by ${method}`, async () => {
      await using issuer = await startIssuer(method);
      await using opened = await open({ entries: [issuer.entry] });
      const browser = opened.createBrowser();
      const answer = await browser.back(await issuer.visit(await browser.begin('own')));
      assert.equal(answer.statusCode, 303, answer.body);
      assert.equal(await browser.whoAmI(), 'rose@example.com');
      const account = await opened.services.users.findByUsername('rose@example.com');
      assert.deepEqual([account?.user.firstName, account?.user.lastName], ['Rose', 'Red']);
    });
});
