import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { loginFaces, sessionCookie } from '../web/faces.ts';
import { facesOn } from './part.ts';

const day = 24 * 60 * 60;

/** "Keep me signed in", on any stores. */
export function testRemember(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores, time: Date.now() });
  });
  after(() => janua[Symbol.asyncDispose]());

  const good = { username: ann.username, password };
  const setCookies = (answer: LightMyRequestResponse) => [answer.headers['set-cookie'] ?? []].flat();
  const withCookie = (answer: LightMyRequestResponse) => ({ cookie: `session=${sessionCookie(answer)}` });

  for (const face of facesOn(stores, loginFaces)) {
    test(`${face.name}: the cookie of a remembered session outlives the browser`, async () => {
      const answer = await janua.send(face.request({ ...good, remember: 'on' }));
      assert.match(
        setCookies(answer)[0] ?? '',
        new RegExp(`^session=[\\w.-]+; Path=/; HttpOnly; SameSite=Lax; Max-Age=${180 * day}$`),
      );
      if (face.format === 'json') assert.equal(answer.json().expires_in, 180 * day);
    });

    for (const remember of ['', 'off', 'true', 'On'])
      test(`${face.name}: remember=${remember} remembers nothing`, async () => {
        const answer = await janua.send(face.request({ ...good, remember }));
        assert.doesNotMatch(setCookies(answer)[0] ?? '', /Max-Age/);
        if (face.format === 'json') assert.equal(answer.json().expires_in, 7 * day);
      });
  }

  describe('a remembered session', () => {
    const start = async () => {
      const answer = await janua.post('/api/login', { ...good, remember: 'on' });
      return withCookie(answer);
    };

    test('ends after 30 days without use, and after 180 days at most', async () => {
      const idle = await start();
      const used = await start();
      for (let passed = 0; passed < 180; passed += 29) {
        assert.ok(await janua.isSignedIn(used), `after ${passed} days`);
        janua.pass(29 * day * 1000);
        if (passed === 29) assert.equal(await janua.isSignedIn(idle), false);
      }
      assert.equal(await janua.isSignedIn(used), false);
    });

    test('is still remembered after its credentials are renewed, until the same end', async () => {
      const cookie = await start();
      janua.pass(10 * day * 1000);
      const answer = await janua.post('/api/confirm', { password }, cookie);
      assert.match(setCookies(answer)[0] ?? '', new RegExp(`Max-Age=${170 * day}$`));
      janua.pass(20 * day * 1000);
      assert.ok(await janua.isSignedIn(withCookie(answer)));
    });
  });

  test('the choice is still there after a wrong password', async () => {
    const box = /<input id="remember" name="remember" type="checkbox" value="on"( checked)?>/;
    for (const remember of ['on', 'off']) {
      const [face] = loginFaces;
      const failed = await janua.app.inject(face?.request({ ...good, remember, password: 'wrong' }) ?? '');
      const [cookie = ''] = setCookies(failed);
      const url = String(failed.headers.location);
      const page = await janua.get(url, { cookie: cookie.split(';', 1)[0] });
      assert.equal(box.exec(page.body)?.[1], remember === 'on' ? ' checked' : undefined);
      assert.equal(box.exec((await janua.get('/auth/login')).body)?.[1], undefined);
    }
  });
}
