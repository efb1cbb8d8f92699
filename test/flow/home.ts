import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { logIn } from '../web/faces.ts';

/** The flow of the home page, on any stores. */
export function testHome(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores, settings: { APP_NAME: 'Acme & Sons' } });
  });
  after(() => janua[Symbol.asyncDispose]());

  const asJson = { 'x-expected-format': 'application/json' };

  test('a signed-in user gets the page with who they are and its actions, in either format', async () => {
    const { cookie, bearer } = await logIn(janua.app);
    for (const headers of [cookie, bearer, { ...cookie, ...asJson }]) {
      const answer = await janua.app.inject({ url: '/auth/home', headers });
      assert.equal(answer.statusCode, 200);
      assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(answer.body, /<title>Acme &amp; Sons Home<\/title>/);
      assert.match(answer.body, /href="\/admin\/me"[^>]*>My Info</);
      assert.match(answer.body, /href="\/api\/me"[^>]*>My Info as JSON</);
      assert.match(answer.body, /action="\/auth\/logout"/);
      assert.match(answer.body, /<a class="button" href="\/account">/);
      assert.match(answer.body, />Ann Archer<.*ann@example\.com/);
      assert.doesNotMatch(answer.body, /Your applications/);
    }
  });

  test('the page links to the applications that a proxy protects', async () => {
    const settings = { FORWARD_AUTH_ORIGINS: ['https://wiki.example.com', 'https://photos.example.com:8443'] };
    await using other = await startJanua({ settings });
    const { body } = await other.app.inject({ url: '/auth/home', headers: (await logIn(other.app)).cookie });
    const links = [...body.matchAll(/<li><a href="([^"]+)">([^<]+)</g)].map(([, href, name]) => [href, name]);
    assert.deepEqual(links, [
      ['https://wiki.example.com', 'wiki.example.com'],
      ['https://photos.example.com:8443', 'photos.example.com:8443'],
    ]);
  });

  test('without a session, a browser is sent to the login page without next, and a program gets 401', async () => {
    const page = await janua.app.inject({ url: '/auth/home' });
    assert.equal(page.statusCode, 303);
    assert.equal(page.headers.location, '/auth/login?state=2');
    for (const url of ['/auth/home?a=b', '/auth/hom%65']) {
      assert.equal((await janua.app.inject({ url })).headers.location, '/auth/login?state=2');
    }
    const program = await janua.app.inject({ url: '/auth/home', headers: asJson });
    assert.equal(program.statusCode, 401);
    assert.equal(program.json().detail, 'Not authenticated');
    assert.equal(program.headers['www-authenticate'], 'Bearer realm="janua"');
  });
}
