import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { defaultSettings, type NewClient } from '../../src/capabilities/oidc/clients/clients.ts';
import { admins } from '../../src/core/users/scopes.ts';
import { ann, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { asJson } from '../web/faces.ts';

/** The links to applications: address, letter, name and host. */
const tilesOf = (page: string) =>
  [...page.matchAll(/<li>\s*<a href="([^"]+)">(.*?)<\/a>/gs)].map(([, address, content = '']) => [
    address,
    ...['span', 'strong', 'small'].map((part) => new RegExp(`<${part}[^>]*>([^<]*)`).exec(content)?.[1] ?? ''),
  ]);

/** The flow of the home page, on any stores. */
export function testHome(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores, settings: { APP_NAME: 'Acme & Sons' } });
  });
  after(() => janua[Symbol.asyncDispose]());

  test('a signed-in user gets the page with who they are and its actions, in either format', async () => {
    const { cookie, bearer } = await janua.logIn();
    for (const headers of [cookie, bearer, { ...cookie, ...asJson }]) {
      const answer = await janua.get('/auth/home', headers);
      assert.equal(answer.statusCode, 200);
      assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(answer.body, /<title>Acme &amp; Sons Home<\/title>/);
      assert.match(answer.body, /href="\/admin\/me"[^>]*>My Info</);
      assert.match(answer.body, /action="\/auth\/logout"/);
      assert.match(answer.body, /<a class="button" href="\/account">/);
      assert.match(answer.body, />Ann Archer<.*ann@example\.com/);
      assert.doesNotMatch(answer.body, /Your applications/);
    }
  });

  test('the page links to the applications that the user may open, as long as they may', async () => {
    const settings = {
      FORWARD_AUTH_ORIGINS: ['https://wiki.example.com', 'https://photos.example.com:8443', 'http://plain.example.com'],
      FORWARD_AUTH_RULES: ['https://photos.example.com:8443=staff', 'https://wiki.example.com/admin=admins'],
    };
    await using other = await startJanua({ settings });
    const { groups, clients, clientAdministration, administration } = other.services;
    await groups.add({ name: 'staff', description: '', scopes: [] });
    const client = { ...defaultSettings, redirectUris: ['https://handbook.example.com/callback'], isPublic: true };
    const added = async (settings: Partial<NewClient>) => (await clients.add({ ...client, ...settings })).client.id;
    const id = await added({ name: 'Handbook', clientUri: 'https://handbook.example.com/start' });
    await added({ name: 'élan', clientUri: 'http://localhost:3000/', groups: ['staff'] });
    await added({ name: 'No page' });
    await added({ name: 'At http', clientUri: 'http://example.com/' });
    const { cookie } = await other.logIn();
    const home = async () => (await other.get('/auth/home', cookie)).body;
    const tiles = async () => tilesOf(await home());
    const handbook = ['https://handbook.example.com/start', 'H', 'Handbook', 'handbook.example.com'];
    const wiki = ['https://wiki.example.com', 'W', 'wiki.example.com', ''];
    assert.deepEqual(await tiles(), [handbook, wiki]);
    await administration.changeGroups(ann.username, { add: ['staff'] });
    const photos = ['https://photos.example.com:8443', 'P', 'photos.example.com:8443', ''];
    assert.deepEqual(await tiles(), [
      ['http://localhost:3000/', 'É', 'élan', 'localhost:3000'],
      handbook,
      photos,
      wiki,
    ]);
    await administration.changeGroups(ann.username, { remove: ['staff'] });
    await clientAdministration.removeClient(id);
    assert.deepEqual(await tiles(), [wiki]);

    // The test sets no PUBLIC_URL, which the overview complains about.
    const words = /href="\/admin#checks">\d+ checks? of the server needs? attention</;
    assert.doesNotMatch(await home(), words, 'only administrators may open the overview');
    await administration.changeGroups(ann.username, { add: [admins] });
    assert.match(await home(), words);
  });

  test('without a session, a browser is sent to the login page without next, and a program gets 401', async () => {
    const page = await janua.get('/auth/home');
    assert.equal(page.statusCode, 303);
    assert.equal(page.headers.location, '/auth/login?state=2');
    for (const url of ['/auth/home?a=b', '/auth/hom%65']) {
      assert.equal((await janua.get(url)).headers.location, '/auth/login?state=2');
    }
    const program = await janua.get('/auth/home', asJson);
    assert.equal(program.statusCode, 401);
    assert.equal(program.json().detail, 'Not authenticated');
    assert.equal(program.headers['www-authenticate'], 'Bearer realm="janua"');
  });
}
