import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { logoutFaces } from '../web/faces.ts';
import { facesOn } from './part.ts';

/** The flow of a logout, on any stores. */
export function testLogout(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
  });
  after(() => janua[Symbol.asyncDispose]());

  for (const face of facesOn(stores, logoutFaces)) {
    describe(face.name, () => {
      const logOut = (headers: Record<string, string> = {}, payload?: string) =>
        janua.app.inject({
          ...face.request,
          headers: { ...face.request.headers, ...headers },
          ...(payload === undefined ? {} : { payload }),
        });

      for (const by of ['cookie', 'bearer'] as const) {
        test(`a logout by ${by} ends both credentials, and clears the cookie`, async () => {
          const signedIn = await janua.logIn();
          const answer = await logOut(signedIn[by]);
          if (face.format === 'html') {
            assert.equal(answer.statusCode, 303);
            assert.equal(answer.headers.location, '/auth/login?state=0');
          } else {
            assert.equal(answer.statusCode, 200);
            assert.deepEqual(answer.json(), { detail: 'Logged out' });
          }
          assert.equal(answer.headers['set-cookie'], 'session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
          assert.equal(answer.headers['cache-control'], 'no-store');
          assert.equal(await janua.isSignedIn(signedIn.cookie), false);
          assert.equal(await janua.isSignedIn(signedIn.bearer), false);
        });
      }

      test('a logout ends every presented session, and no other', async () => {
        const [first, second, third] = [await janua.logIn(), await janua.logIn(), await janua.logIn()];
        await logOut({ ...first.cookie, ...second.bearer });
        assert.equal(await janua.isSignedIn(first.bearer), false);
        assert.equal(await janua.isSignedIn(second.cookie), false);
        assert.ok(await janua.isSignedIn(third.cookie));
      });

      test('a logout without a session is refused', async () => {
        for (const headers of [{}, { cookie: 'session=dead' }, { authorization: 'Bearer dead' }]) {
          const answer = await logOut(headers as Record<string, string>);
          if (face.format === 'html') {
            assert.equal(answer.statusCode, 303);
            assert.equal(answer.headers.location, '/auth/login?state=1');
          } else {
            assert.equal(answer.statusCode, 401);
            assert.equal(answer.json().detail, 'This session has not been logged in before');
            assert.match(String(answer.headers['www-authenticate']), /^Bearer realm="janua"/);
            assert.equal(answer.headers['set-cookie'], undefined);
          }
        }
      });

      test('a second logout reports that the session is over', async () => {
        const { cookie } = await janua.logIn();
        await logOut(cookie);
        const { statusCode, headers, body } = await logOut(cookie);
        assert.equal(statusCode, face.format === 'html' ? 303 : 401);
        if (face.format === 'html') assert.equal(headers.location, '/auth/login?state=5');
        else assert.match(body, /"This session has not been logged in before"/);
      });

      if (face.format === 'html')
        test('a logout from a stale page reports that the session is over', async () => {
          const answer = await logOut({ 'content-type': 'application/x-www-form-urlencoded' }, 'signed_in=yes');
          assert.equal(answer.headers.location, '/auth/login?state=5');
        });

      test('a logout takes a form, JSON or no body, and any other type is 415 and ends no session', async () => {
        for (const [type, payload] of [
          ['application/x-www-form-urlencoded', 'a=b'],
          ['application/json', '{}'],
          ['application/json', ''],
          ['text/plain', ''],
        ] as const) {
          const { cookie } = await janua.logIn();
          await logOut({ ...cookie, 'content-type': type }, payload);
          assert.equal(await janua.isSignedIn(cookie), false, type);
        }
        const { cookie } = await janua.logIn();
        for (const type of ['text/plain', 'multipart/form-data; boundary=x']) {
          assert.equal((await logOut({ ...cookie, 'content-type': type }, 'a=b')).statusCode, 415);
        }
        assert.ok(await janua.isSignedIn(cookie));
      });

      test('only a POST logs out', async () => {
        const { cookie } = await janua.logIn();
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE'] as const) {
          const answer = await janua.app.inject({
            ...face.request,
            method,
            headers: { ...face.request.headers, ...cookie },
          });
          assert.equal(answer.statusCode, stores.mounted ? 404 : 405);
          if (!stores.mounted) assert.equal(answer.headers.allow, 'POST, OPTIONS');
        }
        assert.ok(await janua.isSignedIn(cookie));
      });
    });
  }
}
