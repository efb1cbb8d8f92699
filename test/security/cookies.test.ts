import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { provedBy } from '../../src/core/users/held.ts';
import { wiki } from '../capabilities/oidc/application.ts';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import { gitHub, writeUpstreams } from '../capabilities/upstream/opened.ts';
import { ann, caller, password, startJanua } from '../janua.ts';

/** Behind HTTPS, with another provider, and an authenticator app for Ann. */
async function open() {
  using upstreams = writeUpstreams([gitHub]);
  const settings = { PUBLIC_URL: 'https://auth.example.com', UPSTREAMS_FILE: upstreams.path };
  const janua = await startJanua({ settings, time: Date.now() });
  const { services } = janua;
  const account = await janua.account();
  const token = (await services.createEnrolmentLink(provedBy(account))).split('=')[1] ?? '';
  const { secret } = await services.enrolment.begin(token, caller);
  await services.enrolment.finish(token, codeOf(secret, janua.now()), 'en', caller);
  return {
    ...janua,
    nextCode() {
      janua.pass(30_000);
      return codeOf(secret, janua.now());
    },
  };
}

/** The same browser after an answer, with no other cookies than those. */
const after = (opened: Awaited<ReturnType<typeof open>>, { cookies }: LightMyRequestResponse) =>
  opened.browser(Object.fromEntries(cookies.map(({ name, value }) => [name, value])));

const cookiesOf = ({ headers }: LightMyRequestResponse) => [headers['set-cookie'] ?? []].flat();

test('behind HTTPS, every cookie is for this host, this scheme and HTTP only', async () => {
  await using opened = await open();
  const { post, nextCode } = opened;
  const waiting = await post('/auth/token', { username: ann.username, password });
  const factor = { method: 'totp', code: nextCode(), trust_browser: 'on' };
  const finished = await after(opened, waiting).post('/auth/second-factor', factor);
  const answers = [
    await post('/auth/token', { username: ann.username, password: 'wrong' }),
    waiting,
    finished,
    await post('/api/passkey/options', {}),
    await post('/auth/language', { language: 'de' }),
    await post('/auth/forgot-password', { email: ann.username, next: '/account' }),
    await post('/auth/upstream/github', {}),
    await after(opened, finished).post('/auth/logout', {}),
  ];
  const cookies = answers.flatMap(cookiesOf);
  for (const cookie of cookies)
    assert.match(cookie, /^__Host-[a-z-]+=[\w.-]*; Path=\/; HttpOnly; SameSite=Lax; Secure(; Max-Age=\d+)?$/);
  assert.deepEqual([...new Set(cookies.map((cookie) => /^__Host-([a-z-]+)/.exec(cookie)?.[1]))].sort(), [
    'browser',
    'ceremony',
    'language',
    'logged-out',
    'login-failure',
    'pending',
    'reset-next',
    'session',
    'trusted',
    'upstream',
  ]);
});

test('behind HTTPS, a cookie of a sign-in to an application is for its address, this scheme and HTTP only', async () => {
  await using opened = await open();
  const { post, nextCode, services } = opened;
  const { client } = await services.clientAdministration.addClient({ ...wiki, own: false });
  const waiting = await post('/auth/token', { username: ann.username, password });
  const finished = await after(opened, waiting).post('/auth/second-factor', { method: 'totp', code: nextCode() });
  const asked = new URLSearchParams({
    ...{
      client_id: client.id,
      redirect_uri: String(wiki.redirectUris),
      response_type: 'code',
      scope: 'openid',
      state: 's',
    },
    ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
  });
  const cookies = cookiesOf(await after(opened, finished).get(`/oidc/auth?${asked}`));
  for (const cookie of cookies)
    assert.match(cookie, /^__Secure-oidc-[^;]+; path=\/oidc\/[^;]+; expires=[^;]+; samesite=lax; secure; httponly$/);
  assert.deepEqual(
    cookies.map((cookie) => /^__Secure-oidc-([a-z.]+)/.exec(cookie)?.[1]),
    ['interaction', 'interaction.sig', 'resume', 'resume.sig'],
  );
});

test('the secret of a session is in its cookie alone, and another one in the access token, which no page gets', async () => {
  await using opened = await open();
  const { post, nextCode } = opened;
  for (const [url, step] of [
    ['/api/login', '/api/second-factor'],
    ['/auth/token', '/auth/second-factor'],
  ] as const) {
    const waiting = await post(url, { username: ann.username, password });
    const { mfa_token = '' } = url === '/api/login' ? waiting.json() : {};
    const started = await after(opened, waiting).post(step, { method: 'totp', code: nextCode(), mfa_token });
    const confirmed = await after(opened, started).post(
      step === '/api/second-factor' ? '/api/confirm' : '/auth/confirm',
      { password, method: 'totp', code: nextCode() },
    );
    for (const answer of [started, confirmed]) {
      const value = answer.cookies.find(({ name }) => name === '__Host-session')?.value ?? '';
      const secret = value.split('.')[1] ?? assert.fail(answer.body);
      const { 'set-cookie': _, ...headers } = answer.headers;
      const rest = `${JSON.stringify(headers)} ${answer.body}`;
      assert.ok(!rest.includes(secret), answer.body);
      assert.equal(/janua_[\w-]{22}\./.test(rest), url === '/api/login', rest);
      assert.equal(cookiesOf(answer).join().split(secret).length, 2);
      if (url === '/auth/token') assert.doesNotMatch(JSON.stringify(answer.headers) + answer.body, /janua_/);
    }
  }
});
