import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { ann, password } from '../../janua.ts';
import { type Application, introspect, openProvider, type ProviderUnderTest, requireAnswer } from './application.ts';
import type { Browser } from './browser.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

type Sent = Readonly<Record<string, string>>;

/** Begins a sign-in on whose page the user decides. */
async function decide(app: Application, browser: Browser, decision: string, parameters: Sent = {}) {
  const begun = await app.begin(parameters);
  const page = await browser.open(begun.address);
  assert.match(page.url.pathname, /^\/oidc\/interaction\//, page.url.href);
  return { page, begun, answer: requireAnswer(await browser.submit(page.url, { decision })) };
}

async function letIn(app: Application, browser: Browser, parameters: Sent = {}) {
  const { begun, answer } = await decide(app, browser, 'allow', parameters);
  return app.finish(begun, answer);
}

describe('consent', () => {
  test("is not asked for the operator's own applications", async () => {
    assert.ok((await (await server.addApplication()).signIn(await server.browser())).id_token);
  });

  test('is asked once, and again for more', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const silent = await app.begin({ prompt: 'none' });
    const refused = requireAnswer(await browser.open(silent.address));
    assert.equal(refused.searchParams.get('error'), 'consent_required');
    const { page, begun, answer } = await decide(app, browser, 'allow', { scope: 'openid email' });
    const shown = page.text.replaceAll(/<[^>]*>|\s+/g, ' ').replaceAll(/ +/g, ' ');
    assert.match(
      shown,
      /Let Wiki in\? W Who asks An application that the operator of this site added Name Wiki The answer goes to app\.example\.com /,
    );
    assert.match(page.text, /Your email address/);
    assert.match(page.text, /<form method="post" action="\/auth\/logout"><button/);
    assert.doesNotMatch(page.text, /keeps this/);
    assert.ok((await app.finish(begun, answer)).id_token);
    for (const scope of ['openid email', 'openid'])
      assert.ok((await app.signIn(browser, { scope, prompt: 'none' })).id_token);
    const other = await server.browser();
    assert.ok((await app.signIn(other, { scope: 'openid email' })).id_token, 'in another session');
    const resource = `https://${randomUUID()}.example.com`;
    await server.janua.services.clientAdministration.addResource({
      uri: resource,
      scopes: ['read'],
      tokenFormat: 'opaque',
    });
    for (const added of [
      { claims: '{"userinfo":{"groups":null}}' },
      { claims: '{"id_token":{"groups":null}}' },
      { resource, scope: 'openid email read' },
    ]) {
      const { address } = await app.begin({ scope: 'openid email', prompt: 'none', ...added });
      const { searchParams } = requireAnswer(await browser.open(address));
      assert.equal(searchParams.get('error'), 'consent_required', JSON.stringify(added));
    }
    const single = await decide(app, browser, 'deny', { scope: 'openid', claims: '{"userinfo":{"groups":null}}' });
    assert.match(single.page.text, /Your groups/);
    const more = await letIn(app, browser, { scope: 'openid email groups' });
    assert.deepEqual(more.claims()?.groups, []);
    const events = server.janua.services.auditTrail.find({ order: 'newest-first', limit: 30 });
    const { name } = (await server.janua.services.clients.find(app.clientId)) ?? assert.fail();
    const kinds = await Array.fromAsync(
      events,
      (event) => 'kind' in event && event.about === app.clientId && event.aboutName === name && event.kind,
    );
    for (const kind of ['consent-given', 'application-signed-in']) assert.ok(kinds.includes(kind), kind);
  });

  test('that was given before is no change, however often an application asks', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const given = async () => {
      const events = server.janua.services.auditTrail.find({ order: 'newest-first', limit: 100 });
      const kinds = await Array.fromAsync(
        events,
        (event) => 'kind' in event && event.about === app.clientId && event.kind,
      );
      return kinds.filter((kind) => kind === 'consent-given').length;
    };
    for (const [scope, expected] of [
      ['openid email', 1],
      ['openid email', 1],
      ['openid', 1],
      ['openid email groups', 2],
    ] as const) {
      assert.ok((await letIn(app, browser, { scope, prompt: 'consent' })).id_token);
      assert.equal(await given(), expected, scope);
    }
  });

  test('names the other server that the application may use, and for what', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const resource = 'https://files.example.com';
    const added = { uri: resource, scopes: ['files:read', 'files:write'], tokenFormat: 'opaque' } as const;
    await server.janua.services.clientAdministration.addResource(added);
    const { page } = await decide(app, browser, 'deny', { resource, scope: 'openid files:read' });
    assert.match(page.text, /<li>[^<]*files\.example\.com[^<]*files:read</);
    assert.doesNotMatch(page.text, /files:write/);
  });

  test('escapes the name of the application, as the other pages do', async () => {
    const app = await server.addApplication({ own: false, name: '<i>Wiki</i>' });
    const [browser, stranger] = [await server.browser(), await server.browser(false)];
    const { page } = await decide(app, browser, 'allow');
    for (const { text, url } of [
      page,
      await browser.open('/account/applications'),
      await browser.open((await app.begin({ prompt: 'select_account' })).address),
      await browser.open(`/oidc/logout?client_id=${app.clientId}`),
      await stranger.open((await app.begin()).address),
    ]) {
      assert.ok(text.includes('&lt;i&gt;Wiki'), url.href);
      assert.ok(!text.includes('<i>Wiki'), url.href);
    }
  });

  test('is asked again once it was taken back', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    await letIn(app, browser);
    await browser.submit('/account/applications/revoke', { client_id: app.clientId });
    await letIn(app, browser);
  });

  for (const [whose, own] of [
    ["the operator's own application", true],
    ['another application', false],
  ] as const)
    test(`that is taken back ends what ${whose} got in the session`, async () => {
      const [app, browser] = [await server.addApplication({ own }), await server.browser()];
      const { access_token, refresh_token = '' } = await (own ? app.signIn(browser) : letIn(app, browser));
      assert.equal((await introspect(app, access_token)).active, true);
      await browser.submit('/account/applications/revoke', { client_id: app.clientId });
      assert.equal((await introspect(app, access_token)).active, false);
      await assert.rejects(openid.refreshTokenGrant(app.config, refresh_token), { error: 'invalid_grant' });
    });

  for (const [what, change] of Object.entries({
    'the name': { name: 'Another' },
    'an address': { redirectUris: ['https://app.example.com/callback', 'https://other.example.com/callback'] },
  }))
    test(`is asked again when ${what} of the application changes`, async () => {
      const redirectUris = ['https://app.example.com/callback', 'https://old.example.com/callback'];
      const [app, browser] = [await server.addApplication({ own: false, redirectUris }), await server.browser()];
      await letIn(app, browser);
      await server.janua.services.clientAdministration.changeClient(app.clientId, change);
      await letIn(app, browser);
    });

  for (const [name, redirect] of Object.entries({
    'a loopback address': 'http://127.0.0.1/callback',
    localhost: 'http://localhost/callback',
    'a scheme of its own': 'com.example.app:/callback',
  })) {
    test(`is asked every time for an application at ${name}`, async () => {
      const app = await server.addApplication({ own: false, isPublic: true, redirectUris: [redirect] });
      const browser = await server.browser();
      const port = redirect.startsWith('http')
        ? { redirect_uri: redirect.replace(/(\w)\/callback/, '$1:4567/callback') }
        : {};
      for (const sent of [{}, {}, port]) {
        const { page, begun, answer } = await decide(app, browser, 'allow', sent);
        assert.match(page.text, /runs on your own machine/);
        assert.match(page.text, /keeps this when your session ends/);
        assert.ok((await app.finish(begun, answer)).id_token);
      }
      const { address } = await app.begin({ prompt: 'none' });
      assert.match(requireAnswer(await browser.open(address)).searchParams.get('error') ?? '', /_required$/);
    });
  }

  const proofs: Readonly<Record<string, Sent>> = {
    'acr_values that the user cannot reach': { acr_values: 'urn:janua:2fa' },
    'prompt=login': { prompt: 'login' },
    'prompt=login consent': { prompt: 'login consent' },
  };
  for (const [name, parameters] of Object.entries(proofs)) {
    for (const redirect of ['https://app.example.com/callback', 'http://127.0.0.1/callback']) {
      test(`is asked once beside ${name}, for an application at ${redirect}`, async () => {
        const app = await server.addApplication({ own: false, redirectUris: [redirect] });
        const browser = await server.browser();
        server.janua.pass(1_000);
        const begun = await app.begin(parameters);
        let page = await browser.open(begun.address);
        if (parameters.prompt !== undefined) {
          const next = page.url.searchParams.get('next') ?? '';
          assert.match(page.url.pathname, /^\/auth\/confirm/);
          page = await browser.submit('/auth/confirm', { password, next });
        }
        assert.match(page.url.pathname, /^\/oidc\/interaction\//);
        const answer = requireAnswer(await browser.submit(page.url, { decision: 'allow' }));
        assert.equal((await app.finish(begun, answer)).claims()?.acr, 'urn:janua:1fa');
      });
    }
  }

  test('is denied: the application gets to know, and nothing else', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const { begun, answer } = await decide(app, browser, 'deny');
    assert.equal(answer.searchParams.get('error'), 'access_denied');
    assert.equal(answer.searchParams.get('state'), begun.state);
    assert.equal(answer.searchParams.get('iss'), server.origin);
    assert.ok(!answer.searchParams.has('code'));
    assert.match((await browser.open((await app.begin()).address)).url.pathname, /^\/oidc\/interaction\//);
  });

  test('leads to no address that the application has lost since', async () => {
    const redirectUris = ['https://app.example.com/callback', 'https://old.example.com/callback'];
    const [app, browser] = [await server.addApplication({ own: false, redirectUris }), await server.browser()];
    const { url } = await browser.open((await app.begin({ redirect_uri: redirectUris[1] ?? '' })).address);
    const left = { redirectUris: redirectUris.slice(0, 1) };
    await server.janua.services.clientAdministration.changeClient(app.clientId, left);
    const answer = await browser.submit(url, { decision: 'allow' });
    assert.deepEqual([answer.isElsewhere, answer.status], [false, 400]);
  });

  test('is asked for what lasts without the session, also for what was given before', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    await letIn(app, browser);
    const { page, begun, answer } = await decide(app, browser, 'allow', {
      scope: 'openid offline_access',
      prompt: 'consent',
    });
    assert.match(page.text, /keeps this when your session ends/);
    await app.finish(begun, answer);
  });
});

describe('an application for members of groups', () => {
  test('is refused to other users before they are asked, and to those who leave at the next refresh', async () => {
    const { groups, administration } = server.janua.services;
    await groups.add({ name: 'editors', description: '', scopes: [] });
    const app = await server.addApplication({ own: false, groups: ['editors'] });
    const browser = await server.browser();
    const page = await browser.open((await app.begin()).address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 403]);
    assert.match(page.text, /may not use this application/);
    const { address } = await app.begin({ prompt: 'none' });
    assert.equal(requireAnswer(await browser.open(address)).searchParams.get('error'), 'access_denied');

    await administration.changeGroups(ann.username, { add: ['editors'] });
    const begun = await app.begin();
    const asked = await browser.open(begun.address);
    assert.equal(asked.status, 200);
    await administration.changeGroups(ann.username, { remove: ['editors'] });
    assert.equal((await browser.submit(asked.url, { decision: 'allow' })).status, 403);
    await administration.changeGroups(ann.username, { add: ['editors'] });
    const tokens = await letIn(app, browser);
    const next = await openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '');
    const another = await app.begin();
    const code = requireAnswer(await browser.open(another.address));
    await administration.changeGroups(ann.username, { remove: ['editors'] });
    await assert.rejects(app.finish(another, code), { error: 'invalid_grant' });
    await assert.rejects(openid.refreshTokenGrant(app.config, next.refresh_token ?? ''), { error: 'invalid_grant' });
    await assert.rejects(openid.fetchUserInfo(app.config, next.access_token, openid.skipSubjectCheck));
  });

  before(async () => {
    for (const name of ['wikis', 'others'])
      await server.janua.services.groups.add({ name, description: '', scopes: [] });
  });

  const leavings: Readonly<Record<string, (leaving: { id: string; isIn: boolean }) => Promise<unknown>>> = {
    'leaves the group': ({ isIn }) =>
      server.janua.services.administration.changeGroups(
        ann.username,
        isIn ? { add: ['wikis'] } : { remove: ['wikis'] },
      ),
    'finds the application open to another group alone': ({ id, isIn }) =>
      server.janua.services.clientAdministration.changeClient(id, { groups: [isIn ? 'wikis' : 'others'] }),
  };
  for (const [leaves, change] of Object.entries(leavings)) {
    test(`gets nothing more of a user who ${leaves}, at the very next request`, async () => {
      const { administration, clientAdministration } = server.janua.services;
      await administration.changeGroups(ann.username, { add: ['wikis'] });
      const uri = `https://${randomUUID()}.example.com`;
      await clientAdministration.addResource({ uri, scopes: ['read'], tokenFormat: 'opaque' });
      const app = await server.addApplication({ groups: ['wikis'] });
      const resource = await server.addApplication({ redirectUris: [`${uri}/unused`] });
      const browser = await server.browser();
      const [own, foreign] = [await app.signIn(browser), await app.signIn(browser, { scope: 'read', resource: uri })];
      const uses: Readonly<Record<string, () => Promise<boolean>>> = {
        'introspection of its access token': async () => (await introspect(app, own.access_token)).active,
        'introspection of its refresh token': async () => (await introspect(app, own.refresh_token)).active,
        'introspection by the resource': async () => (await introspect(resource, foreign.access_token)).active,
        userinfo: () =>
          openid.fetchUserInfo(app.config, own.access_token, openid.skipSubjectCheck).then(
            () => true,
            () => false,
          ),
        refresh: () =>
          openid.refreshTokenGrant(app.config, own.refresh_token ?? '').then(
            () => true,
            () => false,
          ),
      };
      for (const isIn of [false, true]) {
        await change({ id: app.clientId, isIn });
        for (const [use, works] of Object.entries(uses)) assert.equal(await works(), isIn, use);
      }
    });
  }
});
