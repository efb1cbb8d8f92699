import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unavailable } from '../../src/ground/faults/unavailable.ts';
import { startJanua } from '../janua.ts';
import { form } from './faces.ts';
import { startServer } from './server.ts';

/** The `next` of the menu of languages on a page. */
const nextOf = (body: string) =>
  /action="\/auth\/language">\s*<input type="hidden" name="next" value="([^"]*)"/.exec(body)?.[1];

test('LANGUAGE is the language of browsers that ask for none of ours', async () => {
  await using janua = await startJanua({ settings: { LANGUAGE: 'de' } });
  for (const [headers, language] of [
    [{}, 'de'],
    [{ 'accept-language': 'ja' }, 'de'],
    [{ 'accept-language': 'vi' }, 'vi'],
  ] as const) {
    const page = await janua.get('/auth/login', headers);
    assert.equal(page.headers['content-language'], language);
  }
});

test('the menu names each language in itself, and marks the present one', async () => {
  await using server = await startServer();
  const { body } = await server.get('/auth/login', { 'accept-language': 'fr' });
  assert.match(body, /<summary>Langue\u00a0: Français<\/summary>/);
  const buttons = body.matchAll(
    /<button class="quiet" name="language" value="(\w+)" lang="(\w+)"( aria-current="true")?>([^<]+)</g,
  );
  assert.deepEqual(
    Array.from(buttons, ([, value, lang, current, name]) => [value, lang, current !== undefined, name]),
    [
      ['en', 'en', false, 'English'],
      ['de', 'de', false, 'Deutsch'],
      ['fr', 'fr', true, 'Français'],
      ['es', 'es', false, 'Español'],
      ['vi', 'vi', false, 'Tiếng Việt'],
    ],
  );
});

test('the menu leads back to the page', async () => {
  await using server = await startServer();
  for (const [url, next] of [
    ['/auth/login?state=2&next=/admin/me', '/auth/login?state=2&amp;next=%2Fadmin%2Fme'],
    ['/?next=/admin/me', '/auth/login?next=%2Fadmin%2Fme'],
    ['http://localhost/auth/login?next=//evil.example', '/auth/login'],
    ['/docs/nothing?x', '/auth/home'],
    // An unknown address is not repeated.
    ['/nothing', '/auth/home'],
    ['/%zz', '/auth/home'],
  ] as const)
    assert.equal(nextOf((await server.get(url)).body), next, url);
});

test('the menu of a page that answers a form leads to the page of the form, with its token', async () => {
  await using server = await startServer({
    addRoutes(app) {
      const handler = async () => {
        throw new Unavailable('A store', 5);
      };
      app.post('/account/thing', handler);
      app.post('/account/other', { config: { openedAt: '/account' } }, handler);
    },
  });
  for (const [url, fields, next] of [
    ['/account/thing', {}, '/account/thing'],
    ['/account/thing', { token: 'a b&c', password: 'x' }, '/account/thing?token=a+b%26c'],
    ['/account/other', {}, '/account'],
  ] as const) {
    const page = await server.app.inject({ method: 'POST', url, ...form(fields) });
    assert.equal(page.statusCode, 503);
    assert.equal(nextOf(page.body), next);
  }
});

test('a browser without a session chooses a language even while the stores are away', async () => {
  const findSignedIn = () => Promise.reject(new Unavailable('The database', 5));
  await using server = await startServer({ parts: { findSignedIn } });
  const choose = (headers = {}) => {
    return server.post('/auth/language', { language: 'de' }, headers);
  };
  assert.equal((await choose()).statusCode, 303);
  assert.equal((await choose({ cookie: 'session=x' })).statusCode, 503);
});

test('the choice of a language leads home if the address of the page would be too long', async () => {
  await using server = await startServer();
  for (const [next, location] of [
    [`/${'a'.repeat(8191)}`, `/${'a'.repeat(8191)}`],
    [`/${'a'.repeat(8192)}`, '/auth/home'],
    [`/${'é'.repeat(2000)}`, '/auth/home'],
  ] as const) {
    const answer = await server.post('/auth/language', { language: 'de', next });
    assert.equal(answer.headers.location, location);
  }
});

test('GET of the address of the menu leads to the login page', async () => {
  await using server = await startServer();
  const answer = await server.get('/auth/language');
  assert.equal(answer.statusCode, 303);
  assert.equal(answer.headers.location, '/auth/login');
});

test('Swagger UI is in English, and says so', async () => {
  await using server = await startServer({ language: 'es' });
  const docs = await server.get('/docs', { 'accept-language': 'de' });
  assert.equal(docs.headers['content-language'], 'en');
  assert.match(docs.body, /<html lang="en">/);
});
