import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { SignedIn } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { failedLogin, form, json, loginFaces, logoutFaces, meFaces, sessionCookie } from '../web/faces.ts';

const asBearer = (token: string) => ({ authorization: `Bearer ${token}` });
const asCookie = (value: string) => ({ cookie: `session=${value}` });

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A signed token, as other servers use them: unsigned, or signed by HS256 with a key that anyone could know. */
function signedToken(header: object, claims: object, key?: string): string {
  const payload = { iss: 'janua', username: ann.username, aud: 'janua', exp: 4_102_444_800, ...claims };
  const content = `${encode(header)}.${encode(payload)}`;
  return `${content}.${key === undefined ? '' : createHmac('sha256', key).update(content).digest('base64url')}`;
}

/** An attacker's tricks with credentials, on any stores: by page and JSON, cookie and token. */
export function testCredentials(stores: StoreChoice): void {
  const bob = { username: 'bob@example.com', firstName: 'Bob', lastName: 'Bell' };
  const good = { username: ann.username, password };

  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
    await janua.people.add({ ...bob, password });
  });
  after(() => janua[Symbol.asyncDispose]());

  for (const face of loginFaces) {
    describe(face.name, () => {
      const attempt = (fields: Record<string, unknown>, headers: Record<string, string> = {}) =>
        janua.send(face.request(fields), headers);

      test('a login never adopts a credential that was planted before it', async () => {
        const planted = `${'P'.repeat(22)}.${'P'.repeat(43)}`;
        const dead = await janua.logIn();
        await janua.post('/api/logout', undefined, dead.cookie);
        for (const headers of [asCookie(planted), asBearer(`janua_${planted}`), dead.cookie, dead.bearer]) {
          const cookie = sessionCookie(await attempt(good, headers));
          assert.ok(cookie !== undefined);
          assert.ok(await janua.isSignedIn(asCookie(cookie)));
          assert.notEqual(cookie.split('.')[0], planted.split('.')[0]);
          assert.equal(await janua.isSignedIn(headers), false);
        }
      });

      test('each login gets new credentials, of a fixed length and without the user name', async () => {
        const seen = new Set<string>();
        for (let time = 0; time < 5; time++) {
          const answer = await attempt(good);
          const values = answer.cookies.map(({ value }) => value);
          for (const { name, value } of answer.cookies) assert.ok(name.length + value.length < 4096);
          assert.equal(values[0]?.length, 66);
          if (face.format === 'json') values.push(answer.json().access_token);
          for (const value of values)
            assert.doesNotMatch(Buffer.from(value, 'base64url').toString('latin1') + value, /ann@|example/);
          // The id of the session alone would make them differ.
          for (const value of values) seen.add(value.slice(-43));
        }
        assert.equal(seen.size, face.format === 'json' ? 15 : 10);
      });

      test('only the user name and the password decide which user signs in', async () => {
        const answer = await attempt(
          {
            ...good,
            id: '1',
            user_id: '1',
            userId: bob.username,
            sub: bob.username,
            is_admin: 'true',
            password_hash: 'x',
            disabled: '0',
          },
          { 'x-user': bob.username, 'x-forwarded-user': bob.username, 'remote-user': bob.username },
        );
        const cookie = asCookie(String(sessionCookie(answer)));
        assert.equal((await janua.get('/api/me', cookie)).json().username, ann.username);
      });

      test('a hostile user name gets the same answer as a wrong password', async () => {
        const wrong = await attempt({ ...good, password: 'wrong' });
        for (const username of [
          "' OR '1'='1",
          "o'hara",
          "\\' or 1=1 -- ",
          `${ann.username}' --`,
          `${ann.username}"; drop table janua_users`,
          '%',
          'ann@example.co_',
          '*',
          `${ann.username}\0`,
          `${ann.username}\r\nset-cookie: a=b`,
          '__proto__',
          'constructor',
          '[object Object]',
          '{{7*7}}',
          '<script>alert(1)</script>',
        ]) {
          const answer = await attempt({ username, password });
          assert.equal(answer.statusCode, wrong.statusCode, username);
          assert.deepEqual(failedLogin(answer)?.[0], face.format === 'html' ? username : undefined);
          assert.equal(sessionCookie(answer), undefined);
          assert.equal(answer.headers.location, wrong.headers.location);
          assert.doesNotMatch(answer.body.replace(String(answer.headers['x-request-id']), ''), /drop|script>|49/);
        }
        assert.ok(sessionCookie(await attempt(good)), 'a right login still succeeds');
      });
    });
  }

  const numbers = Array.from({ length: 64 }, (_, index) => index ** 2).join(' ');
  // bcrypt, in a team's own table, takes only the first 72 bytes (VM-46).
  const long = `${numbers.slice(0, stores.ownTable ? 70 : 127)}!`;
  for (const secret of [
    numbers.slice(-64),
    long,
    '  two  blanks   ',
    '🔑🚲🌍🎈🍋🐙🎺🧊🪁🦉🎲🥕🛶🌵🔭',
    'пароль с пробелом',
  ]) {
    test(`every login accepts the password ${JSON.stringify(secret.slice(-16))}, and no similar one`, async () => {
      await janua.people.setPassword(bob.username, secret);
      const nearly = [`${secret} `, secret.slice(0, -1), `${secret.slice(0, -1)}z`, ` ${secret}`];
      for (const [index, face] of loginFaces.entries()) {
        const other = String(nearly[index % nearly.length]);
        const attempt = (sent: string) => janua.send(face.request({ username: bob.username, password: sent }));
        assert.equal(sessionCookie(await attempt(other)), undefined, face.name);
        assert.ok(sessionCookie(await attempt(secret)), face.name);
      }
    });
  }

  for (const face of meFaces) {
    describe(face.name, () => {
      const ask = (headers: Record<string, string>, url = String(face.request.url)) =>
        janua.app.inject({ ...face.request, url, headers: { ...face.request.headers, ...headers } });
      const refused = face.format === 'html' ? 303 : 401;

      test('a signed token is refused, even one that names a living session', async () => {
        await janua.logIn();
        const sub = (await janua.services.users.findByUsername(ann.username))?.user.id ?? '';
        const sid = (await janua.services.sessions.listOf(sub, undefined))[0]?.id;
        assert.ok(sid !== undefined);
        for (const header of [
          { alg: 'none' },
          { alg: 'None', typ: 'at+jwt' },
          { alg: 'HS256' },
          { alg: 'RS256' },
          { alg: '' },
          {},
          { alg: 'HS256', kid: '../../../dev/null' },
          { alg: 'HS256', jwk: { kty: 'oct', k: '' } },
          { alg: 'RS256', jku: 'http://evil.example/keys', x5u: 'http://evil.example/cert' },
        ]) {
          for (const key of [undefined, 'janua', '']) {
            for (const claims of [{ sub: ann.username }, { sub, sid, jti: sid }]) {
              const token = signedToken(header, claims, key);
              for (const value of [token, `janua_${token}`])
                assert.equal((await ask(asBearer(value))).statusCode, refused);
            }
          }
        }
      });

      test('no query or header makes the server show another user', async () => {
        const { cookie, bearer } = await janua.logIn();
        for (const headers of [cookie, bearer]) {
          const url = `${face.request.url}?id=1&username=${encodeURIComponent(bob.username)}&user_id=2`;
          const { body, statusCode } = await ask(
            { ...headers, 'x-user': bob.username, 'x-original-url': '/admin/x' },
            url,
          );
          assert.equal(statusCode, 200);
          assert.match(body, /ann@example\.com/);
          assert.doesNotMatch(body, /bob/i);
        }
      });

      test('a new user with the name of a removed user gets none of the old sessions', async () => {
        const eve = { username: 'eve@example.com', firstName: 'Eve', lastName: 'E', password };
        await janua.people.add(eve);
        const { cookie, bearer } = await janua.logIn(eve.username);
        await janua.people.remove(eve.username);
        await janua.people.add(eve);
        for (const headers of [cookie, bearer]) assert.equal((await ask(headers)).statusCode, refused);
        await janua.people.remove(eve.username);
      });

      test('a user can have several sessions, and a logout ends only one of them', async () => {
        const all: SignedIn[] = [];
        for (let time = 0; time < 6; time++) all.push(await janua.logIn());
        const [first] = all;
        await janua.post('/api/logout', undefined, first?.bearer ?? {});
        for (const each of all) assert.equal((await ask(each.cookie)).statusCode, each === first ? refused : 200);
      });
    });
  }

  for (const face of logoutFaces) {
    test(`${face.name}: credentials in the body, in other headers or swapped neither end a session nor sign in`, async () => {
      const { cookie, bearer } = await janua.logIn();
      const access_token = bearer.authorization.slice('Bearer '.length);
      const session = cookie.cookie.slice('session='.length);
      for (const body of [form, json]) {
        const sent = body({ access_token, session, session_id: session.split('.')[0] });
        const answer = await janua.app.inject({
          ...face.request,
          ...sent,
          headers: { ...face.request.headers, ...sent.headers },
        });
        assert.equal(answer.statusCode, face.format === 'html' ? 303 : 401);
        if (face.format === 'html') assert.equal(answer.headers.location, '/auth/login?state=1');
      }
      const misplaced: Record<string, string>[] = [
        ...[{ 'x-session': session }, { session }, { 'x-access-token': access_token }],
        ...[asCookie(access_token), asCookie(access_token.replace('janua_', ''))],
        ...[asBearer(session), asBearer(`janua_${session}`)],
      ];
      for (const headers of misplaced) {
        assert.equal(await janua.isSignedIn(headers), false);
        await janua.send(face.request, headers);
      }
      assert.ok(await janua.isSignedIn(cookie));
    });
  }
}
