import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import type { SignedIn } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { bodyFaces, sessionCookie } from '../web/faces.ts';
import { facesOn } from './part.ts';

/** The flow of a fresh proof, on any stores. */
export function testConfirm(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
  });
  after(() => janua[Symbol.asyncDispose]());

  const idIn = ({ cookie }: SignedIn) => cookie.cookie.slice('session='.length).split('.')[0];

  for (const face of facesOn(stores, bodyFaces('/auth/confirm', '/api/confirm'))) {
    describe(face.name, () => {
      const send = (fields: Record<string, unknown>, headers: Record<string, string> = {}) =>
        janua.send(face.request(fields), headers);

      function assertFault(answer: LightMyRequestResponse, detail: string): void {
        assert.equal(answer.statusCode, 422);
        assert.equal(sessionCookie(answer), undefined);
        if (face.format === 'json') {
          assert.deepEqual(answer.json().errors, [{ field: 'password', detail }]);
        } else {
          assert.match(answer.body, new RegExp(`id="password-error">${detail}<`));
          assert.match(answer.body, /aria-describedby="password-error"/);
          assert.match(answer.body, /name="password" type="password" value=""/);
        }
      }

      test('the right password gives the session new credentials, and ends the old ones', async () => {
        const before = await janua.logIn();
        const answer = await send({ password }, before.cookie);
        const renewed = { cookie: `session=${sessionCookie(answer)}` };
        if (face.format === 'html') {
          assert.equal(answer.statusCode, 303);
          assert.equal(answer.headers.location, '/account');
          assert.doesNotMatch(JSON.stringify(answer.headers), /janua_/);
        } else {
          assert.equal(answer.statusCode, 200);
          const { access_token, expires_in, ...rest } = answer.json();
          assert.deepEqual(rest, { detail: 'Confirmed', token_type: 'bearer' });
          // Seven days since the login.
          assert.ok(expires_in > 604_790 && expires_in <= 604_800, String(expires_in));
          assert.ok(await janua.isSignedIn({ authorization: `Bearer ${access_token}` }));
        }
        assert.equal(idIn({ ...before, cookie: renewed }), idIn(before), 'the session stays');
        assert.ok(await janua.isSignedIn(renewed));
        for (const old of [before.cookie, before.bearer]) assert.equal(await janua.isSignedIn(old), false);
      });

      test('an access token can be renewed in the same way', async () => {
        const before = await janua.logIn();
        assert.ok(sessionCookie(await send({ password }, before.bearer)));
        assert.equal(await janua.isSignedIn(before.bearer), false);
      });

      test('a browser is led to a safe next, and to no other', async () => {
        for (const [next, expected] of [
          ['/account/password', '/account/password'],
          ['https://evil.example', '/account'],
          ['//evil.example', '/account'],
          [`/${'x'.repeat(3000)}`, '/account'],
        ] as const) {
          const { cookie } = await janua.logIn();
          const { headers } = await send({ password, next }, cookie);
          assert.equal(headers.location, face.format === 'html' ? expected : undefined);
        }
      });

      test('a wrong or missing password is refused beside its field, and the session stays as it is', async () => {
        const { cookie, bearer } = await janua.logIn();
        assertFault(await send({ password: `${password} ` }, cookie), 'Incorrect password');
        assertFault(await send({ password: '' }, cookie), 'Required');
        assertFault(await send({}, cookie), 'Required');
        assertFault(await send({ password: 'x'.repeat(1025) }, cookie), 'At most 1024 characters');
        for (const headers of [cookie, bearer]) assert.ok(await janua.isSignedIn(headers));
      });

      test('a request without a session is refused, and a page clears the cookie of a dead one', async () => {
        for (const [sent, cleared] of [
          [{}, undefined],
          [{ cookie: 'session=dead' }, 'session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0'],
        ] as const) {
          const { statusCode, headers } = await send({ password }, sent);
          assert.equal(statusCode, face.format === 'html' ? 303 : 401);
          assert.equal(headers.location, face.format === 'html' ? '/auth/login?state=2' : undefined);
          assert.equal(headers['set-cookie'], face.format === 'html' ? cleared : undefined);
        }
      });
    });
  }

  test('the page says who is signed in, and keeps the way back', async () => {
    const { cookie } = await janua.logIn();
    const { statusCode, body } = await janua.get('/auth/confirm?next=%2Fa%3Fb%3D%22', cookie);
    assert.equal(statusCode, 200);
    assert.match(body, /<form method="post" action="\/auth\/confirm">/);
    assert.ok(body.includes(`You are signed in as ${ann.username}.`));
    assert.match(body, /name="next" value="\/a\?b=&quot;"/);
    assert.match(body, /type="password"[^>]*autocomplete="current-password"/);
  });

  test('each outcome is recorded', async () => {
    const { cookie } = await janua.logIn();
    const ids: unknown[] = [];
    for (const sent of [password, 'wrong']) {
      const payload = { password: sent };
      const answer = await janua.app.inject({ method: 'POST', url: '/api/confirm', headers: cookie, payload });
      ids.push(answer.headers['x-request-id']);
      if (answer.statusCode === 200) cookie.cookie = `session=${sessionCookie(answer)}`;
    }
    const events = await janua.events();
    const recorded = ids.map((id) => {
      const [found] = events.filter((event) => event.caller.requestId === id);
      return found && 'kind' in found && [found.kind, found.reason];
    });
    assert.deepEqual(recorded, [
      ['confirmed', undefined],
      ['confirm-failed', 'wrong-password'],
    ]);
  });
}
