import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { stampOf } from '../../src/core/users/account.ts';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import type { Client } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { asJson, sessionCookie } from '../web/faces.ts';

/** Second factors, on any stores. */
export function testSecondFactor(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores, time: Date.now() });
  });
  after(() => janua[Symbol.asyncDispose]());

  const post: Client['post'] = (...request) => janua.post(...request);
  const get: Client['get'] = (...request) => janua.get(...request);
  const cookiesOf = (answer: LightMyRequestResponse) =>
    answer.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  const bearerOf = (answer: LightMyRequestResponse) => ({ authorization: `Bearer ${answer.json().access_token}` });

  let people = 0;

  /** A new user with an authenticator app. */
  async function addProtected() {
    people += 1;
    const username = `factor${people}@example.com`;
    await janua.people.add({ ...ann, username, password });
    const first = await janua.logIn(username);
    const { bearer } = await janua.logIn(username);
    const begun = await post('/api/account/security/totp/begin', {}, bearer);
    assert.equal(begun.statusCode, 200, begun.body);
    const { secret } = begun.json<{ secret: string }>();
    const enabled = await post('/api/account/security/totp', { code: codeOf(secret, janua.now()) }, bearer);
    assert.equal(enabled.statusCode, 200, enabled.body);
    const codes = enabled.json<{ recovery_codes: string[] }>().recovery_codes;
    return {
      username,
      secret,
      codes,
      first,
      bearer: bearerOf(enabled),
      cookie: `session=${sessionCookie(enabled)}`,
      /** A code that was not used yet. */
      next() {
        janua.pass(30_000);
        return codeOf(secret, janua.now());
      },
    };
  }

  /** How the last login was made, as the audit has it. */
  async function lastReason(): Promise<string | undefined> {
    return (await janua.events({ kind: 'login-succeeded', order: 'newest-first', limit: 1 }))[0]?.reason;
  }

  const tokenOf = async (username: string): Promise<string> => {
    const answer = await post('/api/login', { username, password });
    assert.equal(answer.statusCode, 403, answer.body);
    return answer.json().mfa_token;
  };

  describe('a login', () => {
    test('with a password alone gets no session in either face, only a waiting login', async () => {
      const { username } = await addProtected();
      for (const url of ['/api/login', '/auth/token']) {
        const headers: Record<string, string> = url === '/auth/token' ? asJson : {};
        const answer = await post(url, { username, password }, headers);
        assert.equal(answer.statusCode, 403);
        assert.equal(sessionCookie(answer), undefined);
        const { error, methods, mfa_token: token } = answer.json();
        assert.deepEqual([error, methods], ['mfa_required', ['totp', 'recovery_code']]);
        for (const headers of [{ authorization: `Bearer ${token}` }, { cookie: `session=${token}; pending=${token}` }])
          assert.equal(await janua.isSignedIn(headers), false);
      }
      const page = await post('/auth/token', { username, password, next: '/admin/me' });
      assert.equal(page.statusCode, 303);
      assert.equal(page.headers.location, '/auth/second-factor?next=%2Fadmin%2Fme');
      assert.equal(sessionCookie(page), undefined);
      const pending = { cookie: cookiesOf(page) };
      for (const url of ['/auth/home', '/account', '/admin/me', '/auth/verify'])
        assert.notEqual((await get(url, pending)).statusCode, 200, url);
    });

    test('with a wrong password gets the answer of an account without a second factor', async () => {
      const { username } = await addProtected();
      const names = [username, ann.username, 'nobody@example.com'];
      const answers = await Promise.all(names.map((name) => post('/api/login', { username: name, password: 'wrong' })));
      for (const answer of answers) {
        const { request_id: _, ...problem } = answer.json();
        assert.deepEqual([answer.statusCode, problem.error, problem.mfa_token], [400, 'invalid_grant', undefined]);
        assert.deepEqual(answer.cookies, []);
      }
    });

    test('is finished by a code on the page, leads to next, and ends the session of a login before it', async () => {
      const { username, next, cookie } = await addProtected();
      const sent = { username, password, next: '/admin/me', remember: 'on' };
      const first = await post('/auth/token', sent, { cookie });
      assert.equal(await janua.isSignedIn({ cookie }), true, 'a login that waits ends nothing');
      const pending = { cookie: `${cookiesOf(first)}; ${cookie}` };
      const page = await get('/auth/second-factor?next=%2Fadmin%2Fme', pending);
      assert.match(page.body, /autocomplete="one-time-code"/);
      const wrong = await post('/auth/second-factor', { method: 'totp', code: '000000', next: '/admin/me' }, pending);
      assert.equal(wrong.statusCode, 422);
      assert.match(wrong.body, /This code is not valid/);
      const done = await post('/auth/second-factor', { method: 'totp', code: next(), next: '/admin/me' }, pending);
      assert.equal(done.headers.location, '/admin/me', done.body);
      assert.equal(await janua.isSignedIn({ cookie: `session=${sessionCookie(done)}` }), true);
      assert.equal(await janua.isSignedIn({ cookie }), false);
      assert.match(String(done.headers['set-cookie']), /session=[^;]+;[^,]*Max-Age/);
      assert.equal(await lastReason(), 'password+totp');
    });

    test('takes no code twice, none before one that was taken, and none after it has ended', async () => {
      const { username, secret, next } = await addProtected();
      const code = next();
      const use = async (code: string) => {
        const mfa_token = await tokenOf(username);
        return (await post('/api/second-factor', { mfa_token, method: 'totp', code })).statusCode;
      };
      assert.equal(await use(code), 200);
      assert.equal(await use(code), 400);
      assert.equal(await use(codeOf(secret, janua.now() - 30_000)), 400);
      const token = await tokenOf(username);
      for (const expected of [200, 400])
        assert.equal((await post('/api/second-factor', { mfa_token: token, code: next() })).statusCode, expected);
      const mfa_token = await tokenOf(username);
      const forged = await post('/api/second-factor', { mfa_token, method: 'trusted-browser', code: next() });
      assert.equal(forged.statusCode, 400, 'the method is one that there is');
    });

    test('of 20 uses of one code at the same time, one succeeds', async () => {
      const { username, codes, next } = await addProtected();
      for (const sent of [
        { method: 'totp', code: next() },
        { method: 'recovery_code', code: codes[0] },
      ]) {
        const tokens: string[] = [];
        for (let number = 0; number < 20; number += 1) tokens.push(await tokenOf(username));
        const answers = await Promise.all(
          tokens.map((mfa_token) => post('/api/second-factor', { mfa_token, ...sent })),
        );
        assert.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1, sent.method);
      }
    });

    test('is finished by a recovery code, which works once', async () => {
      const { username, codes } = await addProtected();
      assert.equal(codes.length, 10);
      const send = (mfa_token: string, number: number) => {
        const code = codes[number]?.toLowerCase().replaceAll('-', ' ');
        return post('/api/second-factor', { mfa_token, method: 'recovery_code', code });
      };
      const token = await tokenOf(username);
      const done = await send(token, 3);
      assert.equal(done.statusCode, 200, done.body);
      assert.equal((await send(await tokenOf(username), 3)).statusCode, 400);
      assert.equal((await send(token, 4)).statusCode, 400, 'the login no longer waits');
      for (const [number, next] of [
        [5, undefined],
        [6, '/admin/me'],
        [7, '//evil.example'],
      ] as const) {
        const pending = { cookie: cookiesOf(await post('/auth/token', { username, password })) };
        const code = codes[number];
        const page = await post(
          '/auth/second-factor',
          { method: 'recovery_code', code, ...(next && { next }) },
          pending,
        );
        const kept = next === '/admin/me' ? '&next=%2Fadmin%2Fme' : '';
        assert.equal(page.headers.location, `/account/security?state=9${kept}`);
        const shown = await get(page.headers.location ?? '', { cookie: `session=${sessionCookie(page)}` });
        assert.match(shown.body, new RegExp(`${13 - number} codes are left`));
        assert.equal(shown.body.includes('class="button" href="/admin/me"'), kept !== '');
      }
      const { recovery_codes_left: left } = (await get('/api/account/security', bearerOf(done))).json();
      assert.equal(left, 6);
    });

    test('that gets two right codes at the same time is finished by one', async () => {
      const { username, codes } = await addProtected();
      while (codes.length > 0) {
        const mfa_token = await tokenOf(username);
        const send = (code: string) => post('/api/second-factor', { mfa_token, method: 'recovery_code', code });
        const answers = await Promise.all(codes.splice(0, 2).map(send));
        assert.deepEqual(answers.map(({ statusCode }) => statusCode).toSorted(), [200, 400]);
      }
    });

    test('that waits is ended by a logout, with its cookie', async () => {
      const { username, next } = await addProtected();
      const { cookie: session } = await janua.logIn();
      for (const [logout, step, others] of [
        ['/auth/logout', '/auth/second-factor', ''],
        ['/api/logout', '/api/second-factor', ''],
        ['/auth/logout', '/auth/second-factor', `; ${session.cookie}`],
      ] as const) {
        const pending = { cookie: cookiesOf(await post('/auth/token', { username, password })) };
        const out = await post(logout, {}, { cookie: pending.cookie + others });
        assert.ok(out.cookies.some(({ name, value }) => name === 'pending' && value === ''));
        const answer = await post(step, { code: next() }, pending);
        assert.equal(sessionCookie(answer), undefined);
      }
    });

    test('that waits takes five of 20 codes that come at the same time', async () => {
      const { username } = await addProtected();
      const mfa_token = await tokenOf(username);
      const tries = Array.from({ length: 20 }, () => post('/api/second-factor', { mfa_token, code: '000000' }));
      for (const { statusCode } of await Promise.all(tries)) assert.equal(statusCode, 400);
      const { id } = (await janua.services.users.findByUsername(username))?.user ?? assert.fail();
      const found = await janua.events({ userId: id });
      const judged = found.filter((event) => event.reason === 'wrong-code');
      assert.equal(judged.length, 5);
    });

    test('that waits ends after five wrong codes, after ten minutes, and when the password changes', async () => {
      const { username, next } = await addProtected();
      const failing = await tokenOf(username);
      for (let tries = 0; tries < 5; tries += 1)
        assert.equal((await post('/api/second-factor', { mfa_token: failing, code: '000000' })).statusCode, 400);
      assert.equal((await post('/api/second-factor', { mfa_token: failing, code: next() })).statusCode, 400);
      const late = await tokenOf(username);
      janua.pass(600_000);
      assert.equal((await post('/api/second-factor', { mfa_token: late, code: next() })).statusCode, 400);
      const outdated = await tokenOf(username);
      await janua.people.setPassword(username, 'another password of mine');
      assert.equal((await post('/api/second-factor', { mfa_token: outdated, code: next() })).statusCode, 400);
    });

    test('needs no second factor in a browser that the user trusts, until the trust is ended or the password changes', async () => {
      const { username, next } = await addProtected();
      /** Finishes a login, and gives the cookie of the browser that is trusted from then on. */
      async function trust(): Promise<Record<string, string>> {
        const first = await post('/auth/token', { username, password });
        const step = { method: 'totp', code: next(), trust_browser: 'on' };
        const done = await post('/auth/second-factor', step, { cookie: cookiesOf(first) });
        return { cookie: `trusted=${done.cookies.find(({ name }) => name === 'trusted')?.value}` };
      }
      const leadsTo = async (trusted: Record<string, string>, secret = password) =>
        (await post('/auth/token', { username, password: secret }, trusted)).headers.location;

      const trusted = await trust();
      const known = await post('/api/second-factor', {
        ...{ mfa_token: await tokenOf(username), method: 'totp', code: next() },
      });
      const again = await post('/auth/token', { username, password }, trusted);
      assert.equal(again.headers.location, '/auth/home');
      assert.equal(await lastReason(), 'password+trusted-browser');
      const session = { cookie: `session=${sessionCookie(again)}` };
      const { trusted_browsers: browsers } = (await get('/api/account/security', session)).json();
      assert.equal(browsers.length, 1);
      const ended = await post('/api/account/security/trusted-browsers/end', { id: browsers[0].id }, bearerOf(known));
      assert.equal(ended.statusCode, 200, ended.body);
      assert.equal(await leadsTo(trusted), '/auth/second-factor');

      const later = await trust();
      assert.equal(await leadsTo(later), '/auth/home');
      await janua.people.setPassword(username, 'another password of mine');
      assert.equal(await leadsTo(later, 'another password of mine'), '/auth/second-factor');
    });
  });

  describe('trust in a browser', () => {
    test('is for one user, and ends with the password', async () => {
      const { username, next } = await addProtected();
      const other = await addProtected();
      const step = { mfa_token: await tokenOf(username), code: next(), trust_browser: 'on' };
      const trusted = { cookie: cookiesOf(await post('/api/second-factor', step)) };
      const statusOf = async (username: string, password: string) =>
        (await post('/api/login', { username, password }, trusted)).statusCode;
      assert.equal(await statusOf(username, password), 200);
      assert.equal(await statusOf(other.username, password), 403);
      await janua.people.setPassword(username, 'another password of mine');
      assert.equal(await statusOf(username, 'another password of mine'), 403);
    });
  });

  describe('the factors of an account', () => {
    test('end every other session when one is added, and this one goes on with new credentials', async () => {
      const { username, first, bearer } = await addProtected();
      const account = await janua.services.users.findByUsername(username);
      assert.equal((await janua.services.sessions.listOf(account?.user.id ?? '', undefined)).length, 1);
      assert.equal(await janua.isSignedIn(first.bearer), false);
      assert.equal(await janua.isSignedIn(bearer), true);
      const { totp, recovery_codes_left: left, passkeys } = (await get('/api/account/security', bearer)).json();
      assert.deepEqual([totp, left, passkeys], [true, 10, []]);
      assert.match((await get('/account/security', bearer)).body, /Remove the authenticator app/);
    });

    test('do not change for a session that has proved the password alone, in a trusted browser', async () => {
      const { username, next } = await addProtected();
      const mfa_token = await tokenOf(username);
      const step = { mfa_token, method: 'totp', code: next(), trust_browser: 'on' };
      const trusted = { cookie: cookiesOf(await post('/api/second-factor', step)) };
      const login = await post('/api/login', { username, password }, trusted);
      assert.equal(login.statusCode, 200, login.body);
      for (const [path, fields] of Object.entries({
        'security/totp/remove': {},
        'security/totp/begin': {},
        'security/recovery-codes': {},
        'security/trusted-browsers/end': {},
        password: { current_password: password, new_password: 'another password of mine' },
        ...(!stores.ownTable && {
          email: { current_password: password, email: 'elsewhere@example.com' },
          delete: { current_password: password },
        }),
      })) {
        const answer = await post(`/api/account/${path}`, fields, bearerOf(login));
        assert.equal(answer.statusCode, 401, `${path}: ${answer.body}`);
        assert.equal(answer.json().error, 'insufficient_user_authentication', path);
      }
      assert.equal((await get('/api/account/export', bearerOf(login))).statusCode, 401);
      const confirmed = await post('/api/confirm', { password, method: 'totp', code: next() }, bearerOf(login));
      assert.equal((await post('/api/account/security/totp/begin', {}, bearerOf(confirmed))).statusCode, 200);
    });

    test('are deleted with the account', {
      skip: stores.ownTable === true && 'Janua deletes no account of a team',
    }, async () => {
      const { username, next } = await addProtected();
      const { id, ...user } = (await janua.services.users.findByUsername(username))?.user ?? assert.fail();
      const step = { mfa_token: await tokenOf(username), method: 'totp', code: next(), trust_browser: 'on' };
      assert.equal((await post('/api/second-factor', step)).statusCode, 200);
      const stamp = stampOf((await janua.services.users.findById(id)) ?? assert.fail());
      const list = () => janua.services.manageFactors.list({ id, ...user }, stamp);
      const { totp, recoveryCodesLeft, trustedBrowsers } = await list();
      assert.deepEqual([totp !== undefined, recoveryCodesLeft, trustedBrowsers.length], [true, 10, 1]);
      await janua.people.remove(username);
      const left = await list();
      assert.deepEqual([left.totp, left.recoveryCodesLeft, left.trustedBrowsers], [undefined, 0, []]);
    });

    test('change with a fresh proof only, which needs both factors', async () => {
      const { bearer, next } = await addProtected();
      janua.pass(601_000);
      assert.equal((await post('/api/account/security/totp/remove', {}, bearer)).statusCode, 401);
      const led = await post('/account/security/totp/remove', {}, bearer);
      assert.equal(led.statusCode, 303);
      assert.match(String(led.headers.location), /^\/auth\/confirm\?next=/);
      const wrong = await post(
        '/api/account/password',
        { current_password: password, new_password: 'a new one with words' },
        bearer,
      );
      assert.equal(wrong.json().error, 'insufficient_user_authentication');
      const alone = await post('/api/confirm', { password }, bearer);
      assert.equal(alone.statusCode, 422);
      const both = await post('/api/confirm', { password, method: 'totp', code: next() }, bearer);
      assert.equal(both.statusCode, 200, both.body);
      const removed = await post('/api/account/security/totp/remove', {}, bearerOf(both));
      assert.equal(removed.statusCode, 200, removed.body);
      assert.equal((await get('/api/account/security', bearerOf(removed))).json().totp, false);
    });

    test('are shown on the page: the secret until its first code, and then the recovery codes, once', async () => {
      people += 1;
      const username = `factor${people}@example.com`;
      await janua.people.add({ ...ann, username, password });
      const { cookie } = await janua.logIn(username);
      const start = 'action="/account/security/totp/begin"';
      for (const early of [
        await get('/account/security/totp', cookie),
        await post('/account/security/totp', { code: '1' }, cookie),
      ])
        assert.ok(early.body.includes(start) && !early.body.includes('name="code"'));
      const begun = await post('/account/security/totp/begin', {}, cookie);
      assert.equal(begun.statusCode, 200, begun.body);
      const secret = /secret=([A-Z2-7]{32})/.exec(begun.body)?.[1] ?? assert.fail(begun.body);
      const wrong = await post('/account/security/totp', { code: '123' }, cookie);
      assert.equal(wrong.statusCode, 422);
      assert.ok(wrong.body.includes(`secret=${secret}`) && wrong.body.includes('class="qr"'));
      const page = await get('/account/security/totp', cookie);
      assert.ok(!page.body.includes(secret) && !page.body.includes(start) && page.body.includes('name="code"'));
      const done = await post('/account/security/totp', { code: codeOf(secret, janua.now()) }, cookie);
      assert.equal(done.statusCode, 200, done.body);
      assert.equal(new Set(done.body.match(/[0-9A-Z]{4}(-[0-9A-Z]{4}){5}/g)).size, 10);
      const renewed = { cookie: `session=${sessionCookie(done)}` };
      const [, next = ''] =
        /secret=([A-Z2-7]{32})/.exec((await post('/account/security/totp/begin', {}, renewed)).body) ?? [];
      assert.ok((await post('/account/security/totp', {}, renewed)).body.includes(next));
      janua.pass(601_000);
      const stale = await post('/account/security/totp', {}, renewed);
      assert.ok(next !== '' && !stale.body.includes(next), 'a session without a fresh proof');
    });

    test('can be removed by an operator, which ends all sessions', async () => {
      const { username, bearer } = await addProtected();
      const account = await janua.account(username);
      await janua.services.manageFactors.removeAll(account.user, { caller: { route: 'a test' } });
      assert.equal(await janua.isSignedIn(bearer), false);
      assert.equal((await post('/api/login', { username, password })).statusCode, 200);
    });
  });
}
