import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Language, languages } from '../../src/ground/languages/languages.ts';
import { textsIn } from '../../src/ground/languages/speech.ts';
import type { SentHeaders } from '../client.ts';
import { ann, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { asJson, json } from '../web/faces.ts';

/** The choice of a language, on any stores. */
export function testLanguage(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
  });
  after(() => janua[Symbol.asyncDispose]());

  const choose = (fields: Record<string, unknown>, headers = {}) => {
    return janua.post('/auth/language', fields, headers);
  };

  const languageOf = async (headers: Record<string, string>, url = '/auth/login') =>
    (await janua.get(url, headers)).headers['content-language'];

  for (const language of languages) {
    test(`every page comes in ${language}, and says so`, async () => {
      const { cookie } = await janua.logIn();
      const { login, home, me, account, sessions, forgotPassword, mailbox, problem } = textsIn(language).words;
      for (const [url, title] of [
        ['/auth/login', login.title],
        ['/auth/home', home.title],
        ['/admin/me', me.title],
        ['/account', account.title],
        ['/account/sessions', sessions.title],
        ['/demo/mail', mailbox.title],
        ...(stores.ownTable
          ? []
          : ([
              ['/auth/forgot-password', forgotPassword.title],
              ['/auth/forgot-password?state=1', forgotPassword.title],
              ['/account/delete', account.delete],
            ] as const)),
        ['/auth/login/nothing', problem.titles[404]],
      ] as const) {
        const headers = { 'accept-language': `${language}-XX, en;q=0.1`, ...(url !== '/auth/login' && cookie) };
        const page = await janua.get(url, headers);
        // Another app answers for addresses that are not Janua's.
        if (stores.mounted && url.endsWith('nothing')) continue;
        assert.ok(page.body.startsWith(`<!doctype html>\n<html lang="${language}">`), url);
        assert.ok(page.body.includes(`<title>Janua ${title}</title>`), page.body);
        assert.doesNotMatch(page.body, /undefined|\{\w+\}/);
        assert.equal(page.headers['content-language'], language);
        assert.equal(page.headers.vary, 'x-expected-format, Accept-Language, Cookie');
      }
    });
  }

  test('JSON stays in English, and does not depend on the language', async () => {
    for (const [url, vary] of [
      ['/api/me', 'Accept'],
      ['/admin/me', 'x-expected-format, Accept'],
    ] as const) {
      const headers = { ...asJson, 'accept-language': 'de', cookie: 'language=fr' };
      const answer = await janua.get(url, headers);
      assert.equal(answer.json().detail, 'Not authenticated');
      assert.equal(answer.headers['content-language'], undefined);
      assert.equal(answer.headers.vary, vary);
    }
  });

  describe('a browser that chooses a language', () => {
    test('keeps it for a year in a cookie, and comes back to its page', async () => {
      const answer = await choose({ language: 'vi', next: '/auth/login?state=2&next=%2Fadmin%2Fme' });
      assert.equal(answer.statusCode, 303);
      assert.equal(answer.headers.location, '/auth/login?state=2&next=%2Fadmin%2Fme');
      assert.equal(answer.headers['set-cookie'], 'language=vi; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000');
      assert.equal(await languageOf({ cookie: 'language=vi', 'accept-language': 'de' }), 'vi');
    });

    test('is never led to another site', async () => {
      for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example', undefined])
        assert.equal((await choose({ language: 'fr', ...(next && { next }) })).headers.location, '/auth/home');
    });

    test('is told if there is no such language, and keeps none', async () => {
      for (const language of ['xx', 'DE', '', 'en\r\nset-cookie: a=b']) {
        const page = await choose({ language }, { 'accept-language': 'es' });
        assert.equal(page.statusCode, 422);
        assert.ok(page.body.includes(textsIn('es').words.problem.sentences[422]), page.body);
        assert.equal(page.headers['set-cookie'], undefined);
      }
    });

    test('may send any other cookie of that name, which counts for nothing', async () => {
      for (const cookie of ['language=xx', 'language=', 'language=de; language=fr', '__Host-language=de'])
        assert.equal(await languageOf({ cookie, 'accept-language': 'es' }), 'es', cookie);
    });
  });

  describe('a program that chooses a language', () => {
    for (const [url, headers] of [
      ['/api/language', {}],
      ['/auth/language', asJson],
    ] as const) {
      const send = (fields: object, more: SentHeaders = {}) =>
        janua.send({ method: 'POST', url, ...json(fields) }, { ...headers, ...more });

      test(`gets JSON from ${url}`, async () => {
        const answer = await send({ language: 'de' });
        assert.equal(answer.statusCode, 200);
        assert.deepEqual(answer.json(), { detail: 'Language set' });
      });

      test(`learns from ${url} which languages there are`, async () => {
        for (const fields of [{ language: 'xx' }, {}]) {
          const answer = await send(fields);
          assert.equal(answer.statusCode, 422);
          const detail = `Not one of these languages: ${languages.join(', ')}`;
          assert.deepEqual(answer.json().errors, [{ field: 'language', detail }]);
        }
        for (const language of [7, ['de']]) {
          const answer = await send({ language });
          assert.deepEqual([answer.statusCode, answer.json().detail], [400, 'Send each field once, as text']);
        }
      });

      test(`learns from ${url} that its token is not valid`, async () => {
        for (const authorization of ['Bearer', 'Bearer janua_a.b']) {
          const answer = await send({ language: 'de' }, { authorization });
          assert.equal(answer.statusCode, 401);
          assert.match(String(answer.headers['www-authenticate']), /error="invalid_token"/);
          assert.equal(answer.headers['set-cookie'], undefined);
        }
      });
    }
  });

  describe('a signed-in user who chooses a language', () => {
    test('has it in every browser', async () => {
      const { cookie, bearer } = await janua.logIn();
      const chosen: readonly [Record<string, string>, Language][] = [
        [cookie, 'de'],
        [bearer, 'fr'],
      ];
      for (const [credential, language] of chosen) {
        assert.equal((await choose({ language }, credential)).statusCode, 303);
        const account = await janua.services.users.findByUsername(ann.username);
        assert.equal(account?.user.language, language);
        const recorded = janua.services.auditTrail.find({ order: 'newest-first', kind: 'language-changed' });
        const users = (await Array.fromAsync(recorded)).map((event) => 'userId' in event && event.userId);
        assert.equal(users[0], account?.user.id);
        const other = await janua.logIn();
        const seen = await languageOf({ ...other.cookie, 'accept-language': 'es' }, '/admin/me');
        assert.equal(seen, language);
      }
    });

    test('and whose session has ended, keeps it in the browser only', async () => {
      const { cookie } = await janua.logIn();
      await janua.post('/api/logout', undefined, cookie);
      const before = await janua.services.users.findByUsername(ann.username);
      const answer = await choose({ language: 'vi' }, cookie);
      assert.equal(answer.statusCode, 303);
      assert.match(String(answer.headers['set-cookie']), /^language=vi;/);
      assert.deepEqual(await janua.services.users.findByUsername(ann.username), before);
    });
  });
}
