import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { asJson, comparable, failedLogin, form, json, loginFaces, sessionCookie } from '../web/faces.ts';
import { facesOn, isWhole } from './part.ts';

const encode = (text: string) => Buffer.from(text).toString('base64url');

/** The flow of the login page and of a login, on any stores. */
export function testLogin(stores: StoreChoice): void {
  const bob = { username: 'bob@example.com', firstName: 'Bob', lastName: 'Bell' };

  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
    await janua.people.add({ ...bob, password });
    await janua.people.disable(bob.username);
  });
  after(() => janua[Symbol.asyncDispose]());

  const good = { username: ann.username, password };

  for (const face of facesOn(stores, loginFaces)) {
    describe(face.name, () => {
      const attempt = (fields: Record<string, unknown>, headers: Record<string, string> = {}) =>
        janua.send(face.request(fields), headers);

      /** Expects no cookies, except the one that brings the name and the request id to the login page of a browser. */
      function assertOnlyTells(answer: LightMyRequestResponse, username: string): void {
        const told = face.format === 'html' ? [username, answer.headers['x-request-id']] : undefined;
        assert.deepEqual(failedLogin(answer), told);
        assert.equal(answer.cookies.length, told === undefined ? 0 : 1);
      }

      test('the right credentials sign in', async () => {
        const answer = await attempt(good);
        if (face.format === 'html') {
          assert.equal(answer.statusCode, 303);
          assert.equal(answer.headers.location, '/auth/home');
          assert.equal(answer.body, '');
          assert.doesNotMatch(
            JSON.stringify(answer.headers),
            /janua_/,
            'the response to a browser contains no access token',
          );
        } else {
          assert.equal(answer.statusCode, 200);
          const { access_token, ...rest } = answer.json();
          assert.deepEqual(rest, { token_type: 'bearer', expires_in: 604_800 });
          assert.match(access_token, /^janua_[\w-]{22}\.[\w-]{43}$/);
          assert.ok(await janua.isSignedIn({ authorization: `Bearer ${access_token}` }));
          assert.ok(!answer.body.includes(String(sessionCookie(answer))), 'the body does not contain the cookie');
        }
        assert.ok(await janua.isSignedIn({ cookie: `session=${sessionCookie(answer)}` }));
        assert.equal(answer.headers['cache-control'], 'no-store');
        assert.equal(answer.headers.pragma, 'no-cache');
        const cookies = answer.headers['set-cookie'] as string[];
        assert.match(cookies[0] ?? '', /^session=[\w-]{22}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
        assert.match(cookies[1] ?? '', /^browser=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=31536000$/);
      });

      test('the user name is trimmed and compared without case, the password exactly', async () => {
        assert.ok(sessionCookie(await attempt({ username: '  ANN@Example.COM ', password })));
        for (const other of [`${password} `, ` ${password}`, password.toUpperCase(), password.slice(0, -1)]) {
          assert.equal(sessionCookie(await attempt({ username: ann.username, password: other })), undefined);
        }
      });

      test('a login while signed in starts a new session, and ends the presented ones', async () => {
        const byCookie = await janua.logIn();
        const byToken = await janua.logIn();
        const answer = await attempt(good, { ...byCookie.cookie, ...byToken.bearer });
        if (face.format === 'json') assert.equal(answer.json().detail, 'Already logged in');
        assert.ok(await janua.isSignedIn({ cookie: `session=${sessionCookie(answer)}` }));
        for (const { cookie, bearer } of [byCookie, byToken]) {
          assert.equal(await janua.isSignedIn(cookie), false);
          assert.equal(await janua.isSignedIn(bearer), false);
        }
      });

      test('a wrong password while signed in is refused, and the session stays alive', async () => {
        const { cookie } = await janua.logIn();
        const answer = await attempt({ ...good, password: 'wrong' }, cookie);
        assert.deepEqual(comparable(answer), comparable(await attempt({ ...good, password: 'wrong' })));
        assert.equal(sessionCookie(answer), undefined);
        assert.ok(await janua.isSignedIn(cookie));
      });

      test('an unknown user, a wrong password and a disabled user get the same answer', async () => {
        const wrong = await attempt({ ...good, password: 'wrong' });
        if (face.format === 'html') {
          assert.equal(wrong.statusCode, 303);
          assert.equal(wrong.headers.location, '/auth/login?state=3');
        } else {
          assert.equal(wrong.statusCode, 400);
          assert.deepEqual(wrong.json(), {
            error: 'invalid_grant',
            error_description: 'Incorrect username or password',
            detail: 'Incorrect username or password',
            title: 'Bad Request',
            status: 400,
            request_id: wrong.headers['x-request-id'],
          });
        }
        assertOnlyTells(wrong, ann.username);
        assert.equal(wrong.headers['cache-control'], 'no-store');
        assert.equal(wrong.headers.pragma, 'no-cache');
        for (const fields of [
          { username: 'nobody@example.com', password },
          { username: bob.username, password },
        ]) {
          const answer = await attempt(fields);
          assertOnlyTells(answer, fields.username);
          assert.deepEqual(comparable(answer), comparable(wrong));
        }
      });

      const incomplete: [string, Record<string, unknown>][] = [
        ['an empty body', {}],
        ['a body without a password', { username: ann.username }],
        ['a body without a user name', { password }],
        ['an empty user name', { username: '', password }],
        ['a blank user name', { username: '  ', password }],
        ['an empty password', { username: ann.username, password: '' }],
        ['a user name of 255 characters', { username: `${'a'.repeat(243)}@example.com`, password }],
        ['a password of 1025 bytes', { username: ann.username, password: 'x'.repeat(1025) }],
        ['a password of 1026 bytes in 513 characters', { username: ann.username, password: 'é'.repeat(513) }],
      ];
      if (face.name.includes('form')) {
        incomplete.push(['two user names', { username: [ann.username, ann.username], password }]);
        incomplete.push(['two passwords', { username: ann.username, password: [password, password] }]);
        incomplete.push(['two grant types', { ...good, grant_type: ['password', 'password'] }]);
        incomplete.push(['two scopes', { ...good, scope: ['reports:read', 'reports:read'] }]);
      } else {
        for (const value of [0, 1, true, null, [], {}, [ann.username], { $ne: '' }]) {
          incomplete.push([`${JSON.stringify(value)} for a user name`, { username: value, password }]);
          incomplete.push([`${JSON.stringify(value)} for a password`, { username: ann.username, password: value }]);
        }
        incomplete.push(['a lone surrogate', { username: ann.username, password: '\ud800' }]);
      }
      for (const [name, fields] of isWhole(stores) ? incomplete : []) {
        test(`${name} is an invalid request`, async () => {
          const answer = await attempt(fields);
          if (face.format === 'html') {
            assert.equal(answer.statusCode, 303);
            assert.equal(answer.headers.location, '/auth/login?state=3');
          } else {
            assert.equal(answer.statusCode, 400);
            assert.equal(answer.json().error, 'invalid_request');
            assert.equal(typeof answer.json().detail, 'string');
          }
          const { username } = fields;
          const isShown = typeof username === 'string' && username.length <= 254 && username.isWellFormed();
          assertOnlyTells(answer, isShown ? username : '');
        });
      }

      test('a user name of 254 characters and a password of 1024 bytes are not too long', async () => {
        const answer = await attempt({ username: `${'a'.repeat(242)}@example.com`, password: 'é'.repeat(512) });
        if (face.format === 'json') assert.equal(answer.json().error, 'invalid_grant');
        else assert.equal(answer.headers.location, '/auth/login?state=3');
      });

      for (const grantType of ['password', '']) {
        test(`grant_type "${grantType}" is accepted`, async () => {
          assert.ok(sessionCookie(await attempt({ ...good, grant_type: grantType })));
        });
      }

      for (const grantType of ['client_credentials', 'PASSWORD', ' password']) {
        test(`grant_type "${grantType}" is not supported`, async () => {
          const answer = await attempt({ ...good, grant_type: grantType });
          assertOnlyTells(answer, ann.username);
          if (face.format === 'json') {
            assert.equal(answer.statusCode, 400);
            assert.equal(answer.json().error, 'unsupported_grant_type');
          } else {
            assert.equal(answer.headers.location, '/auth/login?state=3');
          }
        });
      }

      if (face.name.includes('json body')) {
        test('a next or a scope of another type than text is ignored, and such a grant type is unsupported', async () => {
          for (const fields of [{ next: null }, { next: 5 }, { next: {} }, { scope: null }, { scope: 1 }]) {
            assert.ok(sessionCookie(await attempt({ ...good, ...fields })), JSON.stringify(fields));
          }
          for (const grantType of [null, 1, {}]) {
            const answer = await attempt({ ...good, grant_type: grantType });
            if (face.format === 'json') assert.equal(answer.json().error, 'unsupported_grant_type');
            else assert.equal(answer.headers.location, '/auth/login?state=3');
          }
        });
      }

      test('unknown fields are ignored, and a scope that the user does not have is not granted', async () => {
        const answer = await attempt({
          ...good,
          client_id: 'x',
          ...asJson,
          scope: 'admin',
        });
        assert.ok(sessionCookie(answer));
        if (face.format === 'json') assert.equal(answer.json().scope, '');
        else assert.equal(answer.statusCode, 303);
      });

      if (face.format === 'html') {
        test('a login follows a safe next, and a failed login keeps it', async () => {
          assert.equal((await attempt({ ...good, next: '/admin/me?a=b#c' })).headers.location, '/admin/me?a=b#c');
          for (const username of [ann.username, bob.username, 'nobody@example.com']) {
            const failed = await attempt({ username, password: 'wrong', next: '/admin/me?a=b' });
            assert.equal(failed.headers.location, '/auth/login?state=3&next=%2Fadmin%2Fme%3Fa%3Db', username);
          }
        });

        for (const next of [['/a', '/b'], `/${'é'.repeat(2000)}`, '/a'.repeat(5000), '']) {
          test(`a login drops a next that is empty, too long or given twice: ${String(next).slice(0, 20)}`, async () => {
            const answer = await attempt({ ...good, next });
            assert.equal(answer.headers.location, '/auth/home');
            assert.ok(sessionCookie(answer));
            assert.equal((await attempt({ ...good, password: 'wrong', next })).headers.location, '/auth/login?state=3');
          });
        }

        test('a login drops an unsafe next', async () => {
          const answer = await attempt({ ...good, next: '//evil.example' });
          assert.equal(answer.headers.location, '/auth/home');
          assert.ok(sessionCookie(answer));
          const failed = await attempt({ ...good, password: 'wrong', next: '//evil.example' });
          assert.equal(failed.headers.location, '/auth/login?state=3');
        });
      }
    });
  }

  test('a login keeps the id of a browser cookie that Janua made, and replaces a forged one', async () => {
    const first = await janua.post('/api/login', good);
    const browser = String(first.cookies.find(({ name }) => name === 'browser')?.value);
    const idOf = async (value: string) => {
      const sent = json(good);
      const headers = { ...sent.headers, cookie: `browser=${value}` };
      const answer = await janua.app.inject({ method: 'POST', url: '/api/login', ...sent, headers });
      return answer.cookies.find(({ name }) => name === 'browser')?.value.split('.')[0];
    };
    const [id, signature] = browser.split('.');
    assert.equal(await idOf(browser), id);
    assert.notEqual(await idOf(`${id}.${'A'.repeat(String(signature).length)}`), id);
    assert.equal(await janua.isSignedIn({ cookie: `session=${browser}; browser=${browser}` }), false);
  });

  test('a refused login of a disabled user ends no presented session', async () => {
    const { cookie } = await janua.logIn();
    await janua.post('/api/login', { username: bob.username, password }, cookie);
    assert.ok(await janua.isSignedIn(cookie));
  });

  // No store sees the rest, but an app around Janua may.
  if (!isWhole(stores) && !stores.mounted) return;

  describe('the login page', () => {
    const page = (url: string, headers = {}) => janua.get(url, headers);

    // In another app, `/` belongs to that app.
    const atRoot = stores.mounted ? [] : ['/'];
    for (const path of [...atRoot, '/auth/login']) {
      test(`GET ${path} shows the form`, async () => {
        const answer = await page(path);
        assert.equal(answer.statusCode, 200);
        assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
        assert.match(answer.body, /<title>Janua Login<\/title>/);
        assert.match(answer.body, /<form method="post" action="\/auth\/token">/);
        assert.match(answer.body, /type="password" autocomplete="current-password"/);
        assert.match(answer.body, /autocomplete="username webauthn"/);
        assert.equal(answer.headers['set-cookie'], undefined);
      });

      test(`GET ${path} sends a signed-in user to the home page`, async () => {
        const { cookie, bearer } = await janua.logIn();
        for (const headers of [cookie, bearer]) {
          const answer = await page(path, headers);
          assert.equal(answer.statusCode, 303);
          assert.equal(answer.headers.location, '/auth/home');
        }
      });
    }

    if (!stores.mounted) {
      test('GET / answers exactly as GET /auth/login', async () => {
        const query = '?state=2&next=%2Fadmin%2Fme';
        assert.deepEqual(comparable(await page(`/${query}`)), comparable(await page(`/auth/login${query}`)));
      });
    }

    for (const [state, message] of [
      ['0', 'You are logged out.'],
      ['1', 'This session has not been logged in before'],
      ['2', 'Please log in to continue'],
      ['3', 'Incorrect username or password'],
      ['4', 'Too many attempts. Please wait before trying again.'],
      ['5', 'This session is over already'],
      ['6', 'Your password was changed. Please sign in.'],
      ['7', 'Your account was deleted.'],
      ['8', 'You could not be signed in with this passkey. Please try again, or use your password.'],
      ['9', 'This passkey is not known here any more. Please use another one, or your password.'],
      ['10', 'Your email address was changed.'],
      ['11', 'Your account was created. Please sign in.'],
      ['12', 'Your authenticator app is set up. Please sign in with it.'],
    ]) {
      test(`state ${state} shows its message`, async () => {
        const { statusCode, body } = await page(`/auth/login?state=${state}`);
        assert.equal(statusCode, 200);
        assert.match(body, /role="alert"/);
        assert.ok(body.includes(`>${message}</p>`));
      });
    }

    for (const state of [
      '00',
      '13',
      '-1',
      '03',
      '3.0',
      'constructor',
      '__proto__',
      '<b>',
      '%3Cscript%3E',
      '',
      '3&state=4',
      'x'.repeat(5000),
    ]) {
      test(`state ${state.slice(0, 20)} shows no message`, async () => {
        const { statusCode, body } = await page(`/auth/login?state=${state}`);
        assert.equal(statusCode, 200);
        assert.doesNotMatch(body, /role="alert"/);
        assert.equal(body, (await page('/auth/login')).body, 'nothing is repeated');
      });
    }

    test('the login page stays HTML even if the header asks for JSON', async () => {
      const answer = await page('/auth/login', asJson);
      assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    });

    test('the form contains a safe next, escaped, and drops an unsafe one', async () => {
      assert.match((await page('/auth/login?next=%2Fa%3Fb%3D%22c%26d')).body, /name="next" value="\/a\?b=%22c&amp;d"/);
      assert.doesNotMatch((await page('/auth/login?next=https://evil.example')).body, /evil/);
    });

    test('the page after a failed login shows the typed name and the request id, and leads the address on', async () => {
      const typed = '"><b>Ann</b>@é.example';
      const [shown, idOf] = [/name="username" value="([^"]*)"/, /Request id: <code>([^<]*)<\/code>/];
      for (const username of [typed, ann.username]) {
        const failed = await janua.post('/auth/token', { username, password: 'x' });
        const [cookie = ''] = [failed.headers['set-cookie'] ?? []].flat();
        assert.match(cookie, /^login-failure=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=300$/);
        const headers = { cookie: cookie.split(';', 1)[0] };
        const there = await page(String(failed.headers.location), headers);
        assert.equal(
          shown.exec(there.body)?.[1],
          username.replace('">', '&quot;&gt;').replaceAll('<', '&lt;').replaceAll('b>', 'b&gt;'),
        );
        assert.equal(idOf.exec(there.body)?.[1], failed.headers['x-request-id']);
        const forgot = await page('/auth/forgot-password', headers);
        if (!stores.ownTable) assert.match(forgot.body, new RegExp(`value="${username === typed ? '' : username}"`));
        const elsewhere = await page('/auth/login?state=2', headers);
        assert.equal(shown.exec(elsewhere.body)?.[1], '', 'the username is filled in only after a failed login');
        assert.equal(idOf.exec(elsewhere.body), null);
        assert.equal(elsewhere.headers['set-cookie'], 'login-failure=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
      }
    });

    for (const value of [
      '',
      'x',
      ...['', ' ', 'id', ' off a', 'id a', 'id yes a', '<b> off a', 'null', '[]'].map(encode),
      ...[`id off ${'a'.repeat(255)}`, `${'i'.repeat(65)} off a`].map(encode),
    ]) {
      test(`a forged login-failure cookie shows nothing: ${value.slice(0, 20)}`, async () => {
        const { statusCode, body } = await page('/auth/login?state=3', { cookie: `login-failure=${value}` });
        assert.equal(statusCode, 200);
        assert.match(body, /name="username" value=""/);
        assert.doesNotMatch(body, /Request id/);
      });
    }

    test('the page clears a dead session cookie', async () => {
      const answer = await page('/auth/login', { cookie: 'session=dead' });
      assert.match(String(answer.headers['set-cookie']), /^session=; Path=\/; HttpOnly; SameSite=Lax; Max-Age=0$/);
    });
  });

  describe('a request that is no login', () => {
    for (const url of ['/auth/token', '/api/login']) {
      test(`POST ${url} reads no credentials from the query string, and ignores what it does not know there`, async () => {
        const query = new URLSearchParams(good).toString();
        const answer = await janua.post(`${url}?${query}`, undefined, asJson);
        assert.equal(answer.json().error, 'invalid_request');
        const both = await janua.app.inject({ method: 'POST', url: `${url}?username=x`, ...json(good) });
        assert.equal(sessionCookie(both), undefined);
        assert.ok(sessionCookie(await janua.app.inject({ method: 'POST', url: `${url}?client_id=x`, ...json(good) })));
      });

      test(`POST ${url} without a body is an invalid request`, async () => {
        if (url === '/auth/token') {
          const page = await janua.post(url);
          assert.equal(page.headers.location, '/auth/login?state=3');
        }
        for (const headers of [{}, { 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
          const answer = await janua.post(url, undefined, { ...asJson, ...headers });
          assert.equal(answer.json().error, 'invalid_request');
        }
      });

      for (const type of [
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/xml',
        'application/jsonx',
        'nonsense',
      ]) {
        for (const headers of [{}, asJson]) {
          test(`POST ${url} with ${type} ${JSON.stringify(headers)} is 415`, async () => {
            const payload = form(good).payload as string;
            const answer = await janua.app.inject({
              method: 'POST',
              url,
              headers: { ...headers, 'content-type': type },
              payload,
            });
            assert.equal(answer.statusCode, 415);
            assert.equal(answer.headers.accept, 'application/x-www-form-urlencoded, application/json');
            assert.equal(answer.headers['set-cookie'], undefined);
          });
        }
      }

      test(`POST ${url} with more than 64 KiB is 413, with broken JSON 400`, async () => {
        const headers = { 'content-type': 'application/json', ...asJson };
        const large = await janua.app.inject({ method: 'POST', url, headers, payload: ' '.repeat(65_537) });
        assert.equal(large.statusCode, 413);
        assert.equal(typeof large.json().detail, 'string');
        for (const payload of ['{', '{"username":', `{"__proto__":${JSON.stringify(good)}}`, '\u0000']) {
          const broken = await janua.app.inject({ method: 'POST', url, headers, payload });
          assert.equal(broken.statusCode, 400, payload);
          assert.equal(typeof broken.json().detail, 'string');
        }
      });

      test(`POST ${url} with JSON that is not UTF-8 is 400`, async () => {
        const headers = { 'content-type': 'application/json', ...asJson };
        const payload = Buffer.from(
          JSON.stringify({ username: ann.username, password: '?' }).replace('?', '\xff'),
          'latin1',
        );
        const answer = await janua.app.inject({ method: 'POST', url, headers, payload });
        assert.equal(answer.statusCode, 400);
        assert.equal(answer.json().error, undefined);
      });

      test(`POST ${url} with a form that is not UTF-8, raw or escaped, is 400`, async () => {
        const headers = {
          'content-type': 'application/x-www-form-urlencoded',
          ...asJson,
        };
        // The last two are one character, with one byte escaped and one not.
        for (const wrong of ['\xff', '%ff', '%C3', '%ed%a0%80', '\xc3%28', '\xc3%a9', '%c3\xa9']) {
          const payload = Buffer.from(`username=${ann.username}&password=${wrong}`, 'latin1');
          const answer = await janua.app.inject({ method: 'POST', url, headers, payload });
          assert.equal(answer.statusCode, 400, wrong);
          assert.equal(answer.json().error, undefined, wrong);
        }
        // Characters raw and escaped, and literal percent signs.
        for (const odd of ['\xc3\xa9', '%c3%a9', '100%', '%zz']) {
          const payload = Buffer.from(`username=${ann.username}&password=${odd}`, 'latin1');
          const answer = await janua.app.inject({ method: 'POST', url, headers, payload });
          assert.equal(answer.json().error, 'invalid_grant', odd);
        }
      });

      for (const payload of ['null', '1', '"text"', '[]', '[{"username":"a"}]']) {
        test(`POST ${url} with the JSON ${payload} is an invalid request`, async () => {
          const headers = { 'content-type': 'application/json', ...asJson };
          const answer = await janua.app.inject({ method: 'POST', url, headers, payload });
          assert.equal(answer.statusCode, 400);
          assert.equal(answer.json().error, 'invalid_request');
        });
      }
    }
  });
}
