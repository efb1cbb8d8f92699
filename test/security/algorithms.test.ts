import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { appOrigin, createForwardBrowser, forwardSettings } from '../capabilities/forward-auth/forward-browser.ts';
import { createGoogle, googleUser } from '../capabilities/upstream/fakes.ts';
import { open } from '../capabilities/upstream/opened.ts';
import { ann, password } from '../janua.ts';

/** The hash functions that Node was asked for. Later imports from `node:crypto` get the wrapped functions. */
const used = new Set<string>();
for (const name of ['hash', 'createHash', 'createHmac', 'sign', 'hkdfSync'] as const) {
  const original = crypto[name] as (algorithm: string, ...others: unknown[]) => unknown;
  Reflect.set(crypto, name, (algorithm: string, ...others: unknown[]) => {
    used.add(`${name} ${algorithm}`);
    return original(algorithm, ...others);
  });
}
syncBuiltinESMExports();

test('logins, sessions, linked accounts and the way to another application are hashed and signed with SHA-256 alone', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch, settings: forwardSettings });
  used.clear();
  const known = opened.browser();
  for (let count = 0; count < 2; count += 1)
    assert.equal((await known.post('/api/login', { username: ann.username, password })).statusCode, 200);

  const browser = createForwardBrowser(opened);
  await browser.logIn('');
  assert.equal((await browser.open(`${appOrigin}/x`)).answer.statusCode, 200);
  assert.deepEqual([...used].sort(), ['createHmac sha256', 'hash sha256']);

  const upstream = opened.createBrowser();
  for (let count = 0; count < 2; count += 1) {
    const address = fake.authorize(await upstream.begin(), googleUser());
    assert.equal((await upstream.back(address)).statusCode, 303);
  }
  // The provider signs.
  assert.deepEqual([...used].sort(), ['createHmac sha256', 'hash sha256', 'sign sha256']);
});
