import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '../../../src/capabilities/oidc/clients/clients.ts';
import { ann, password } from '../../janua.ts';
import { openProvider, requireAnswer } from '../oidc/application.ts';
import { writeUpstreams } from './opened.ts';

/** One Janua, at which users sign in with the account of another one. */
async function openBoth() {
  await using opened = new AsyncDisposableStack();
  const first = opened.use(await openProvider());
  const { clientAdministration } = first.janua.services;
  const placeholder = { name: 'Second', redirectUris: ['https://second.example.com/'], own: true, isPublic: false };
  const { client, secret } = await clientAdministration.addClient({ ...defaultSettings, ...placeholder });
  const entry = { id: 'first', kind: 'janua', issuer: first.origin, clientId: client.id, clientSecret: secret };
  const file = opened.use(writeUpstreams([entry]));
  const second = opened.use(await openProvider({ settings: { UPSTREAMS_FILE: file.path } }));
  const redirectUris = [`${second.origin}/auth/upstream/first/callback`];
  await clientAdministration.changeClient(client.id, { redirectUris });
  const kept = opened.move();
  return { first, second, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

test('a user of one Janua links that account at another one, gives a fresh proof and signs in there with it', async () => {
  await using both = await openBoth();
  const { first, second } = both;
  const there = await first.browser();
  const here = await second.browser();

  const away = requireAnswer(await here.submit('/account/sign-in-methods/begin', { upstream: 'first' }));
  assert.equal(away.origin, first.origin);
  const page = await here.open(requireAnswer(await there.open(away)));
  const [, link = ''] = /name="link" value="([^"]+)"/.exec(page.text) ?? [];
  const linked = await here.submit('/account/sign-in-methods/link', { link });
  assert.match(linked.text, /ann@example\.com/);

  const proof = requireAnswer(await here.submit('/auth/confirm/upstream/first', { next: '/account/profile' }));
  const asked = await there.open(proof);
  assert.equal(asked.url.pathname, '/auth/confirm');
  const given = await there.submit('/auth/confirm', { password, next: asked.url.searchParams.get('next') ?? '' });
  const confirmed = await here.open(requireAnswer(given));
  assert.equal(confirmed.url.pathname, '/account/profile');

  const anew = await second.browser(false);
  const login = requireAnswer(await anew.submit('/auth/upstream/first', { next: '/account' }));
  const back = await anew.open(requireAnswer(await there.open(login)));
  assert.equal(back.url.pathname, '/account');
  assert.match(back.text, new RegExp(ann.username));
});

test('a user who is not signed in there logs in there first, and comes back', async () => {
  await using both = await openBoth();
  const { first, second } = both;
  const there = await first.browser(false);
  const here = await second.browser();
  const away = requireAnswer(await here.submit('/account/sign-in-methods/begin', { upstream: 'first' }));
  const login = await there.open(away);
  const next = login.url.searchParams.get('next') ?? '';
  const answer = await there.submit('/auth/token', { username: ann.username, password, next });
  const page = await here.open(requireAnswer(answer));
  assert.match(page.text, /name="link"/);
});
