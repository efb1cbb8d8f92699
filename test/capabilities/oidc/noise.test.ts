import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ann, password } from '../../janua.ts';
import { basic, codeFields, openProvider, type ProviderUnderTest, post, requireAnswer } from './application.ts';
import type { Browser, Place } from './browser.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

type Answer = { readonly access_token?: string; readonly id_token?: string; readonly error?: string };

const ask = async (path: string, fields: Readonly<Record<string, string>>, headers = {}): Promise<Answer> =>
  (await (await post(server, path, fields, headers)).json()) as Answer;

const logIn = (browser: Browser, { url }: Place) =>
  browser.submit('/auth/token', { username: ann.username, password, next: url.searchParams.get('next') ?? '' });

/** As `golang.org/x/oauth2` does for a client without a secret: by Basic, without looking whether there is one. */
const emptySecret = (clientId: string) => basic({ clientId, secret: '' });

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** What healthy applications do all day. */
const healthy: Readonly<Record<string, () => Promise<unknown>>> = {
  async 'a sign-in from a browser without a session'() {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const begun = await app.begin();
    assert.ok(await app.finish(begun, requireAnswer(await logIn(browser, await browser.open(begun.address)))));
  },
  async 'a silent sign-in without a session'() {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const answer = requireAnswer(await browser.open((await app.begin({ prompt: 'none' })).address));
    assert.equal(answer.searchParams.get('error'), 'login_required');
  },
  async 'a sign-in of a public client that sends an empty secret'() {
    const app = await server.addApplication({ isPublic: true });
    const browser = await server.browser();
    for (const more of [{}, { client_id: app.clientId }]) {
      const begun = await app.begin();
      const answer = requireAnswer(await browser.open(begun.address));
      const sent = { ...codeFields(begun, answer), ...more };
      assert.ok((await ask('/oidc/token', sent, emptySecret(app.clientId))).access_token);
    }
  },
  async 'a sign-in on a device that sends an empty secret, and asks until its user has logged in'() {
    const app = await server.addApplication({ isPublic: true, device: true, own: false });
    const [headers, client_id] = [emptySecret(app.clientId), app.clientId];
    const begun = (await ask('/oidc/device-authorization', { client_id, scope: 'openid' })) as Record<string, string>;
    const poll = { grant_type: deviceGrant, device_code: begun.device_code ?? '', client_id };
    assert.equal((await ask('/oidc/token', poll, headers)).error, 'authorization_pending');
    assert.equal((await ask('/oidc/token', poll, headers)).error, 'slow_down');
    const browser = await server.browser(false);
    await logIn(browser, await browser.open(begun.verification_uri_complete ?? ''));
    await browser.submit('/oidc/device', { user_code: begun.user_code ?? '', decision: 'allow' });
    server.janua.pass(5000);
    assert.ok((await ask('/oidc/token', poll, headers)).id_token);
  },
};

describe('nothing is recorded as refused of', () => {
  for (const [name, run] of Object.entries(healthy))
    test(name, async () => {
      const since = server.janua.now();
      await run();
      const found = await server.janua.events({ since });
      const kinds = found.map((event) => ('kind' in event ? `${event.kind} ${event.reason ?? ''}` : 'unreadable'));
      assert.ok(kinds.length > 0 || name.includes('silent'));
      assert.deepEqual(
        kinds.filter((kind) => /refused|failed/.test(kind)),
        [],
      );
    });

  test('a program at the page of a device: it is one, as before', async () => {
    const answer = await fetch(`${server.origin}/api/oidc/device?user_code=BBBB-BBBB`);
    assert.equal(answer.status, 401);
    const id = answer.headers.get('x-request-id') ?? '';
    const [event] = await server.janua.services.auditTrail.findByRequestId(id);
    assert.ok(event && 'kind' in event && event.kind === 'access-refused');
  });
});

describe('an empty secret by Basic', () => {
  test('is none of a client that has one', async () => {
    const app = await server.addApplication();
    const begun = await app.begin();
    const answer = requireAnswer(await (await server.browser()).open(begun.address));
    const { error } = await ask('/oidc/token', codeFields(begun, answer), emptySecret(app.clientId));
    assert.equal(error, 'invalid_request');
  });

  test('counts for no other client than the form names', async () => {
    const [app, other] = [await server.addApplication({ isPublic: true }), await server.addApplication()];
    const begun = await app.begin();
    const answer = requireAnswer(await (await server.browser()).open(begun.address));
    const fields = { ...codeFields(begun, answer), client_id: other.clientId };
    assert.equal((await ask('/oidc/token', fields, emptySecret(app.clientId))).error, 'invalid_request');
  });
});
