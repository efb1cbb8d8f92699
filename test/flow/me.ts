import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { SignedIn } from '../client.ts';
import { ann, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { meFaces } from '../web/faces.ts';
import { facesOn } from './part.ts';

/** The flow of "who am I", on any stores. */
export function testMe(stores: StoreChoice): void {
  let janua: TestJanua;
  let signedIn: SignedIn;
  before(async () => {
    janua = await startJanua({ stores });
    signedIn = await janua.logIn();
  });
  after(() => janua[Symbol.asyncDispose]());

  for (const face of facesOn(stores, meFaces)) {
    describe(face.name, () => {
      const ask = (headers: Record<string, string> = {}) => janua.send(face.request, headers);

      async function assertRefused(headers: Record<string, string>, detail: string, challenge: string) {
        const answer = await ask(headers);
        assert.equal(answer.headers['cache-control'], 'no-store');
        if (face.format === 'html') {
          assert.equal(answer.statusCode, 303);
          assert.equal(answer.headers.location, '/auth/login?state=2&next=%2Fadmin%2Fme');
        } else {
          assert.equal(answer.statusCode, 401);
          const request_id = answer.headers['x-request-id'];
          assert.deepEqual(answer.json(), { title: 'Unauthorized', status: 401, detail, request_id });
          assert.equal(answer.headers['www-authenticate'], challenge);
        }
        return answer;
      }

      const refusedWithout = (headers: Record<string, string>) =>
        assertRefused(headers, 'Not authenticated', 'Bearer realm="janua"');
      const refusedToken = (authorization: string, headers = {}) =>
        assertRefused(
          { authorization, ...headers },
          'Invalid authentication credentials',
          'Bearer realm="janua", error="invalid_token"',
        );

      test('a cookie or a token shows the user', async () => {
        for (const headers of [signedIn.cookie, signedIn.bearer, { ...signedIn.cookie, ...signedIn.bearer }]) {
          const answer = await ask(headers);
          assert.equal(answer.statusCode, 200);
          assert.equal(answer.headers['cache-control'], 'no-store');
          if (face.format === 'html') {
            assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
            assert.match(answer.body, /<title>Janua My Info<\/title>/);
            assert.match(answer.body, /<form method="post" action="\/auth\/logout">/);
            for (const text of [ann.username, ann.firstName, ann.lastName]) assert.ok(answer.body.includes(text));
          } else {
            assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
            assert.deepEqual(answer.json(), { username: ann.username, first_name: 'Ann', last_name: 'Archer' });
          }
          assert.doesNotMatch(answer.body, /argon2/);
        }
      });

      test('a request without a credential is refused', async () => {
        await refusedWithout({});
      });

      test('a dead, foreign or malformed cookie counts as none, and only a page clears it', async () => {
        for (const value of [
          '',
          'x',
          'a.b',
          `${'A'.repeat(22)}.${'A'.repeat(43)}`,
          signedIn.cookie.cookie.slice(8, -1),
        ]) {
          const answer = await refusedWithout({ cookie: `session=${value}` });
          const cleared = face.format === 'html' ? 'session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0' : undefined;
          assert.equal(answer.headers['set-cookie'], cleared);
        }
      });

      test('two session cookies count as none, and so does another spelling of the name', async () => {
        const { cookie } = signedIn.cookie;
        const value = cookie.slice('session='.length);
        for (const header of [
          `${cookie}; ${cookie}`,
          `${cookie}; session=x`,
          `Session=${value}`,
          `__Host-session=${value}`,
        ]) {
          const answer = await refusedWithout({ cookie: header });
          assert.equal(answer.headers['set-cookie'], undefined);
        }
        assert.equal((await ask({ cookie: `a=b; ${cookie} ; c` })).statusCode, 200);
      });

      test('a changed last character of a credential is refused', async () => {
        for (const last of 'AEQgw') {
          const token = `${signedIn.bearer.authorization.slice(0, -1)}${last}`;
          if (token !== signedIn.bearer.authorization) await refusedToken(token);
        }
      });

      test('a token without a living session is refused, even beside a good cookie', async () => {
        const token = signedIn.bearer.authorization.slice('Bearer '.length);
        const cookieAsToken = `janua_${signedIn.cookie.cookie.slice('session='.length)}`;
        for (const wrong of [
          '',
          'x',
          ann.username,
          token.slice(6),
          `${token}=`,
          token.toUpperCase(),
          cookieAsToken,
          'x'.repeat(9000),
        ]) {
          await refusedToken(`Bearer ${wrong}`);
          const answer = await refusedToken(`Bearer ${wrong}`, signedIn.cookie);
          assert.equal(answer.headers['set-cookie'], undefined, 'the cookie was not checked, and is kept');
        }
        await refusedToken('Bearer', signedIn.cookie);
      });

      test('the scheme Bearer is compared without case, and other schemes are ignored', async () => {
        const token = signedIn.bearer.authorization.slice('Bearer '.length);
        assert.equal((await ask({ authorization: `bEaReR   ${token}` })).statusCode, 200);
        const blanks = ['\t', '\u00A0', '\u0085', '\v', '\f'].map((blank) => `Bearer${blank}${token}`);
        for (const authorization of ['Basic Og==', 'Digest x', `Bearerx ${token}`, token, ...blanks]) {
          await refusedWithout({ authorization });
          assert.equal((await ask({ authorization, ...signedIn.cookie })).statusCode, 200);
        }
      });

      test('credentials in the query string are not read', async () => {
        const token = signedIn.bearer.authorization.slice('Bearer '.length);
        const url = `${face.request.url}?access_token=${token}&session=${signedIn.cookie.cookie.slice(8)}`;
        const answer = await janua.app.inject({ ...face.request, url });
        assert.equal(answer.statusCode, face.format === 'html' ? 303 : 401);
      });

      test('sessions end at once when the user is disabled, removed or gets a new password, and stay dead', async () => {
        const { people } = janua;
        const eve = { username: 'eve@example.com', firstName: 'Eve', lastName: 'E' };
        const secret = 'correct horse battery';
        for (const end of ['disable', 'remove', 'setPassword'] as const) {
          await people.add({ ...eve, password: secret });
          const { cookie, bearer } = await janua.logIn(eve.username);
          assert.equal((await ask(cookie)).statusCode, 200);
          await people[end](eve.username, `another ${secret}`);
          const check = async () => {
            await refusedToken(bearer.authorization);
            await refusedWithout(cookie);
          };
          await check();
          if (end === 'disable') await people.enable(eve.username);
          await check();
          if (end !== 'remove') await people.remove(eve.username);
        }
      });

      test('HEAD answers as GET, without a body', async () => {
        for (const headers of [signedIn.cookie, {}]) {
          const get = await ask(headers);
          const head = await janua.app.inject({
            ...face.request,
            method: 'HEAD',
            headers: { ...face.request.headers, ...headers },
          });
          assert.equal(head.statusCode, get.statusCode);
          assert.equal(head.body, '');
          const own = { date: '', 'x-request-id': '' };
          assert.deepEqual({ ...head.headers, ...own }, { ...get.headers, ...own });
        }
      });
    });
  }

  test('markup in a name is escaped', async () => {
    const name = `<script>alert("1")</script>'&`;
    // An address contains no angle bracket and no double quote.
    const mallory = { username: "o'b&c@example.com", firstName: name, lastName: name };
    await janua.people.add({ ...mallory, password: 'correct horse battery' });
    const { cookie } = await janua.logIn(mallory.username);
    for (const url of ['/admin/me', '/auth/home']) {
      const { body } = await janua.get(url, cookie);
      assert.doesNotMatch(body, /<script>alert|o'b|b&c/);
      assert.match(body, /&lt;script&gt;alert/);
    }
    assert.match((await janua.get('/admin/me', cookie)).body, /o&#39;b&amp;c@/);
    const { body, headers } = await janua.get('/api/me', cookie);
    assert.equal(JSON.parse(body).first_name, name);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  test('next keeps the query of the requested page', async () => {
    const answer = await janua.get('/admin/me?a=b&c=%22');
    assert.equal(answer.headers.location, '/auth/login?state=2&next=%2Fadmin%2Fme%3Fa%3Db%26c%3D%2522');
  });
}
