/**
 * The English words of login, logout and "who am I". They are a contract: the system that Janua implements says them, and its programs
 * and tests compare them. Everything else may say "sign in", but no wish for uniform words changes these.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import type { SignedIn } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { type Face, loginFaces, logoutFaces, meFaces } from '../web/faces.ts';

const credentials = { username: ann.username, password };
const wrong = { ...credentials, password: 'wrong' };

let janua: TestJanua;
let signedIn: SignedIn;
before(async () => {
  janua = await startJanua({ settings: { APP_NAME: 'Learn FastAPI', THROTTLE: 'on' } });
  signedIn = await janua.logIn();
});
after(() => janua[Symbol.asyncDispose]());

const titleOf = ({ body }: LightMyRequestResponse) => /<title>([^<]*)<\/title>/.exec(body)?.[1];
const messageOf = ({ body }: LightMyRequestResponse) => /role="alert"[^>]*>([^<]*)</.exec(body)?.[1];

/** The page that a browser ends at. */
async function follow(answer: LightMyRequestResponse, headers: Record<string, string> = {}) {
  assert.equal(answer.statusCode, 303);
  return janua.get(String(answer.headers.location), headers);
}

for (const [url, title] of [
  ['/', 'Learn FastAPI Login'],
  ['/auth/login', 'Learn FastAPI Login'],
  ['/auth/home', 'Learn FastAPI Home'],
  ['/admin/me', 'Learn FastAPI My Info'],
] as const) {
  test(`${url} has the title "${title}"`, async () => {
    const headers = title.endsWith('Login') ? {} : signedIn.cookie;
    assert.equal(titleOf(await janua.get(url, headers)), title);
  });
}

for (const [state, message] of [
  [1, 'This session has not been logged in before'],
  [2, 'Please log in to continue'],
  [3, 'Incorrect username or password'],
  [4, 'Too many attempts. Please wait before trying again.'],
] as const) {
  test(`state ${state} of the login page says "${message}"`, async () => {
    assert.equal(messageOf(await janua.get(`/auth/login?state=${state}`)), message);
  });
}

/** Runs an action in each format. A page must show the message, a program must get the detail. */
async function assertSays(
  faces: readonly Face[],
  headers: Record<string, string>,
  [message, detail]: readonly [string, string],
): Promise<void> {
  for (const { request, format, name } of faces) {
    const answer = await janua.send(request, headers);
    if (format === 'json') assert.equal(answer.json().detail, detail, name);
    else assert.equal(messageOf(await follow(answer)), message, name);
  }
}

test('a logout without a session is told so in the same words on pages and as JSON', async () => {
  const words = 'This session has not been logged in before';
  await assertSays(logoutFaces, {}, [words, words]);
});

test('"who am I" without a credential, and with a bad token, has these words', async () => {
  await assertSays(meFaces, {}, ['Please log in to continue', 'Not authenticated']);
  const bearer = { authorization: 'Bearer behai_' };
  await assertSays(meFaces, bearer, ['Please log in to continue', 'Invalid authentication credentials']);
});

test('a logout as JSON says "Logged out"', async () => {
  for (const { request, format } of logoutFaces) {
    const { cookie } = await janua.logIn();
    const answer = await janua.send(request, cookie);
    if (format === 'json') assert.equal(answer.json().detail, 'Logged out');
    else assert.equal(titleOf(await follow(answer)), 'Learn FastAPI Login');
  }
});

test('a login while signed in says "Already logged in" as JSON, and leads to the home page', async () => {
  for (const { request, format } of loginFaces) {
    const sent = request(credentials);
    const { cookie } = await janua.logIn();
    const answer = await janua.send(sent, cookie);
    if (format === 'json') assert.equal(answer.json().detail, 'Already logged in');
    else assert.equal(titleOf(await follow(answer, signedIn.cookie)), 'Learn FastAPI Home');
  }
});

test('a refused login has these words, and one too many those', async () => {
  const remoteAddress = '192.0.2.7';
  const send = (index: number) => {
    const { request, format } = loginFaces[index % loginFaces.length] ?? assert.fail();
    return janua.app.inject({ ...request(wrong), remoteAddress }).then((answer) => ({ answer, format }));
  };
  for (const index of loginFaces.keys()) {
    const { answer, format } = await send(index);
    const words = 'Incorrect username or password';
    if (format === 'json') {
      const { detail, error_description } = answer.json();
      assert.deepEqual([detail, error_description], [words, words]);
    } else {
      const page = await follow(answer);
      assert.deepEqual([titleOf(page), messageOf(page)], ['Learn FastAPI Login', words]);
    }
  }
  for (let tries = 0; tries < 3; tries += 1) await send(0);
  for (const index of loginFaces.keys()) {
    const { answer, format } = await send(index);
    assert.equal(answer.statusCode, 429);
    if (format === 'json') assert.equal(answer.json().detail, 'Too many attempts');
    else {
      assert.equal(titleOf(answer), 'Learn FastAPI Login');
      assert.match(
        messageOf(answer) ?? '',
        /^Too many attempts\. Please wait before trying again\. Try again in \d+ seconds\.$/,
      );
    }
  }
});

test('a login by a form without a password is refused on the page in the words of a wrong one', async () => {
  const answer = await janua.post('/auth/token', { username: ann.username });
  assert.equal(messageOf(await follow(answer)), 'Incorrect username or password');
});
