import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { SignedIn } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { bodyFaces, faces, sessionCookie } from '../web/faces.ts';
import { facesOn } from './part.ts';

const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0';
const bob = { username: 'bob@example.com', firstName: 'Bob', lastName: 'Bell' };

/** The page of one's own sessions, on any stores. */
export function testSessions(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
    await janua.people.add({ ...bob, password });
  });
  after(() => janua[Symbol.asyncDispose]());

  beforeEach(async () => {
    for (const { username } of [ann, bob]) {
      const account = await janua.services.users.findByUsername(username);
      await janua.services.sessions.endAllOf(account?.user.id ?? '');
    }
  });

  const idOf = ({ cookie }: SignedIn) => cookie.cookie.slice('session='.length).split('.')[0] ?? '';

  async function list(headers: Record<string, string>) {
    return (await janua.get('/api/account/sessions', headers)).json().sessions;
  }

  for (const face of facesOn(stores, faces('GET', '/account/sessions', '/api/account/sessions'))) {
    test(`${face.name} shows where the user is signed in, and nobody else`, async () => {
      const sent = { username: ann.username, password, remember: 'on' };
      const remembered = await janua.post('/api/login', sent, { 'user-agent': firefox });
      const own = await janua.logIn();
      await janua.logIn(bob.username);
      const answer = await janua.send(face.request, own.cookie);
      assert.equal(answer.statusCode, 200);
      if (face.format === 'html') {
        assert.equal(answer.body.match(/<li>/g)?.length, 2);
        assert.match(answer.body, /<strong>Firefox on Windows<\/strong>/);
        assert.equal(answer.body.match(/This session/g)?.length, 1);
        assert.equal(answer.body.match(/Stays signed in/g)?.length, 1);
        assert.equal(answer.body.match(/127\.0\.0\.1/g)?.length, 2);
        assert.match(answer.body, /<form method="post" action="\/auth\/logout">/);
      } else {
        const { sessions } = answer.json();
        const shared = { address: '127.0.0.1' };
        assert.deepEqual(
          sessions.map(({ started_at, last_seen_at, expires_at, ...rest }: Record<string, string>) => {
            for (const time of [started_at, last_seen_at, expires_at])
              assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
            const lasts = Date.parse(String(expires_at)) - Date.parse(String(last_seen_at));
            return { ...rest, days: lasts / (24 * 60 * 60 * 1000) };
          }),
          [
            { ...shared, id: idOf(own), current: true, browser: 'lightMyRequest', remembered: false, days: 1 },
            {
              ...shared,
              id: remembered.json().access_token.slice('janua_'.length).split('.')[0],
              ...{ current: false, browser: 'Firefox on Windows', remembered: true, days: 30 },
            },
          ],
        );
      }
    });
  }

  for (const face of facesOn(stores, bodyFaces('/account/sessions/end', '/api/account/sessions/end'))) {
    describe(face.name, () => {
      const end = (fields: Record<string, unknown>, { cookie }: SignedIn) => janua.send(face.request(fields), cookie);

      test('ends a session of the user', async () => {
        const [own, other, third] = [await janua.logIn(), await janua.logIn(), await janua.logIn()];
        const answer = await end({ id: idOf(other) }, own);
        if (face.format === 'html') {
          assert.equal(answer.statusCode, 303);
          assert.equal(answer.headers.location, '/account/sessions?state=1');
        } else {
          assert.equal(answer.statusCode, 200);
          assert.deepEqual(answer.json(), { detail: 'Session ended' });
        }
        assert.equal(answer.headers['set-cookie'], undefined);
        const alive = [own, other, third].map(({ bearer }) => janua.isSignedIn(bearer));
        assert.deepEqual(await Promise.all(alive), [true, false, true]);
      });

      test('ends the session that asks, like a logout', async () => {
        const own = await janua.logIn();
        const answer = await end({ id: idOf(own) }, own);
        assert.equal(answer.headers.location, face.format === 'html' ? '/auth/login?state=0' : undefined);
        assert.match(String(answer.headers['set-cookie']), /^session=; .*Max-Age=0$/);
        assert.equal(await janua.isSignedIn(own.bearer), false);
      });

      test('finds no session of another user, none that has ended, and none that never was', async () => {
        const [own, ended, foreign] = [await janua.logIn(), await janua.logIn(), await janua.logIn(bob.username)];
        await janua.post('/api/logout', undefined, ended.cookie);
        const answers = await Promise.all(
          [idOf(foreign), idOf(ended), 'A'.repeat(22), `${idOf(own)} `, '__proto__'].map((id) => end({ id }, own)),
        );
        for (const answer of answers) {
          assert.equal(answer.statusCode, 404);
          assert.match(answer.body, /You have no session with that id/);
          assert.equal(answer.headers['content-type'], answers[0]?.headers['content-type']);
        }
        for (const alive of [own, foreign]) assert.ok(await janua.isSignedIn(alive.bearer));
      });

      test('refuses a body without one id', async () => {
        const own = await janua.logIn();
        for (const [fields, status, told] of [
          [{}, 422, 'Required'],
          [{ id: '' }, 422, 'Required'],
          [{ id: 'x'.repeat(44) }, 422, 'At most 43 characters'],
          [{ id: [idOf(own), idOf(own)] }, 400, 'Send each field once, as text'],
        ] as const) {
          const answer = await end(fields, own);
          assert.equal(answer.statusCode, status);
          if (face.format === 'json') assert.match(answer.body, new RegExp(`"detail":"${told}"`));
        }
        assert.ok(await janua.isSignedIn(own.bearer));
      });
    });
  }

  for (const face of facesOn(
    stores,
    faces('POST', '/account/sessions/end-others', '/api/account/sessions/end-others'),
  )) {
    test(`${face.name} ends all sessions of the user but the one that asks`, async () => {
      const [own, other, third] = [await janua.logIn(), await janua.logIn(), await janua.logIn()];
      const foreign = await janua.logIn(bob.username);
      const headers = { ...face.request.headers, ...own.bearer };
      const answer = await janua.app.inject({ ...face.request, headers });
      if (face.format === 'html') assert.equal(answer.headers.location, '/account/sessions?state=2');
      else assert.equal(answer.json().detail, 'Other sessions ended');
      const alive = [own, other, third, foreign].map(({ bearer }) => janua.isSignedIn(bearer));
      assert.deepEqual(await Promise.all(alive), [false, false, false, true], 'the own session has a new token');
      const cookie = `session=${sessionCookie(answer)}`;
      assert.equal((await list({ cookie })).length, 1);
    });
  }

  test('each end is recorded, and so is a refused one', async () => {
    const [own, other] = [await janua.logIn(), await janua.logIn()];
    await janua.logIn();
    const paths = ['end', 'end', 'end-others'];
    const ids: unknown[] = [];
    for (const path of paths) {
      const fields = path === 'end' ? { id: idOf(other) } : undefined;
      const answer = await janua.post(`/api/account/sessions/${path}`, fields, own.cookie);
      ids.push(answer.headers['x-request-id']);
    }
    const events = await janua.events();
    const recorded = events.flatMap((event) =>
      'kind' in event && ids.includes(event.caller.requestId)
        ? [[event.kind, event.reason, event.sessionId, event.count]]
        : [],
    );
    assert.deepEqual(recorded, [
      ['session-ended', 'by-its-user', idOf(other), undefined],
      ['session-end-refused', undefined, undefined, undefined],
      ['sessions-ended', 'by-its-user', idOf(own), 1],
    ]);
  });

  for (const [state, message] of [
    ['1', 'That session has ended.'],
    ['2', 'All other sessions have ended, with what applications, browsers and links could do without one.'],
    ['3', undefined],
    ['constructor', undefined],
    ['1&state=2', undefined],
  ] as const) {
    test(`the page with state=${state} says ${message ?? 'nothing'}`, async () => {
      const { cookie } = await janua.logIn();
      const { body } = await janua.get(`/account/sessions?state=${state}`, cookie);
      assert.equal(/role="status">([^<]*)</.exec(body)?.[1], message);
    });
  }

  const skip = stores.mounted && 'in another app, that app answers other methods';
  test('a browser that opens the address of an action is led to the page', { skip }, async () => {
    for (const path of ['end', 'end-others']) {
      const answer = await janua.get(`/account/sessions/${path}`);
      assert.deepEqual([answer.statusCode, answer.headers.location], [303, '/account/sessions']);
    }
  });
}
