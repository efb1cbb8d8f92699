import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { ChangeRefused } from '../../src/core/users/change-refused.ts';
import type { Client } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';
import { json, sessionCookie } from '../web/faces.ts';

const newPassword = 'a much better password than before';

/** What users manage themselves, on any stores. */
export function testAccount(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores, settings: { SIGN_UP: 'on' }, time: Date.now() });
  });
  after(() => janua[Symbol.asyncDispose]());

  const post: Client['post'] = (...request) => janua.post(...request);
  const get: Client['get'] = (...request) => janua.get(...request);

  const mailsTo = (address: string) => janua.mails(address);

  /** The token of the link in the newest mail to an address. Moves the clock past the limit of one mail a minute. */
  async function tokenTo(address: string): Promise<string> {
    const token = await janua.tokenTo(address);
    janua.pass(61_000);
    return token;
  }

  let people = 0;
  const addPerson = async () => {
    people += 1;
    const username = `person${people}@example.com`;
    await janua.people.add({ ...ann, username, password });
    return username;
  };

  /** The stored sessions of a user. A request with one that is void removes it. */
  async function countSessions(username: string): Promise<number> {
    const account = await janua.services.users.findByUsername(username);
    return (await janua.services.sessions.listOf(account?.user.id ?? '', undefined)).length;
  }

  const errorsOf = (answer: LightMyRequestResponse) => {
    assert.equal(answer.statusCode, 422, answer.body);
    return answer.json<{ errors: { field: string }[] }>().errors.map(({ field }) => field);
  };

  const cookieOf = (answer: LightMyRequestResponse) => ({ cookie: `session=${sessionCookie(answer)}` });

  async function assertExpired(url: string, fields: Record<string, unknown> = {}): Promise<void> {
    const page = await post(url, { password: newPassword, first_name: 'A', last_name: 'B', ...fields });
    assert.equal(page.statusCode, 410, page.body);
    assert.match(page.body, /This link has expired, was used already, or was withdrawn/);
  }

  const ownOnly = { skip: stores.ownTable ? 'a team manages its own table' : false };

  describe('sign-up', ownOnly, () => {
    test('a known and an unknown address get the same answer, and a different mail', async () => {
      const [known, disabled] = [await addPerson(), await addPerson()];
      await janua.people.disable(disabled);
      const answers: string[] = [];
      for (const email of [known, disabled, 'unknown@example.com']) {
        for (const url of ['/auth/sign-up', '/api/sign-up']) {
          const { statusCode, headers, body } = await post(url, { email });
          const { date, 'x-request-id': id, ...compared } = headers;
          answers.push(JSON.stringify([url, statusCode, compared, body]));
          janua.pass(61_000);
        }
      }
      assert.equal(new Set(answers).size, 2);
      assert.match(answers[0] ?? '', /303.*state=1/);
      assert.match(answers[1] ?? '', /202/);
      for (const email of [known, disabled])
        assert.equal((await mailsTo(email))[0]?.subject, 'You have an account already');
      assert.equal((await mailsTo('unknown@example.com'))[0]?.subject, 'Finish your account');
    });

    for (const [page, finish] of [
      ['/auth/sign-up', '/auth/sign-up/finish'],
      ['/api/sign-up', '/api/sign-up/finish'],
    ] as const) {
      test(`the link of ${page} makes the account once, and signs its owner in`, async () => {
        const email = `new-${page.slice(1, 5)}@example.com`;
        await post(page, { email: ` ${email.toUpperCase()} ` });
        const token = await tokenTo(email);
        assert.match((await get(`/auth/sign-up/finish?token=${token}`)).body, new RegExp(`>[^<]*${email}`));
        const account = { token, first_name: 'Zoë', last_name: 'Nguyễn', password: newPassword };
        // A weak password consumes no link, and nothing else of the body matters.
        const weak = await post('/api/sign-up/finish', { ...account, password: 'too short' });
        assert.deepEqual(errorsOf(weak), ['password']);
        const answer = await post(finish, { ...account, email: 'other@example.com', username: 'other@example.com' });
        assert.equal(answer.statusCode, page.startsWith('/api') ? 201 : 303, answer.body);
        const me = await get('/api/me', cookieOf(answer));
        assert.deepEqual(me.json(), { username: email, first_name: 'Zoë', last_name: 'Nguyễn' });
        await assertExpired('/auth/sign-up/finish', { token });
      });
    }

    test('two links for one address make one account', async () => {
      const email = 'twice@example.com';
      await post('/auth/sign-up', { email });
      const first = await tokenTo(email);
      await post('/auth/sign-up', { email });
      const second = await tokenTo(email);
      assert.notEqual(first, second);
      const account = { first_name: 'A', last_name: 'B', password: newPassword };
      assert.equal((await post('/api/sign-up/finish', { ...account, token: first })).statusCode, 201);
      assert.equal((await get(`/auth/sign-up/finish?token=${second}`)).statusCode, 410);
      await assertExpired('/auth/sign-up/finish', { token: second });
    });
  });

  describe('forgotten password', () => {
    test('a known and an unknown address get the same answer, and only the known one a mail', async () => {
      const known = await addPerson();
      const answers: string[] = [];
      for (const email of [known, 'nobody@example.com']) {
        for (const url of ['/auth/forgot-password', '/api/forgot-password']) {
          const { statusCode, headers, body } = await post(url, { email });
          const { date, 'x-request-id': id, ...compared } = headers;
          answers.push(JSON.stringify([url, statusCode, compared, body]));
          janua.pass(61_000);
        }
      }
      assert.equal(new Set(answers).size, 2);
      assert.equal((await mailsTo(known)).length, 2);
      assert.equal((await mailsTo('nobody@example.com')).length, 0);
    });

    for (const reset of ['/auth/reset-password', '/api/reset-password']) {
      test(`a link works once at ${reset}, ends every session, and signs nobody in`, async () => {
        const username = await addPerson();
        const { cookie, bearer } = await janua.logIn(username);
        await post('/auth/forgot-password', { email: username });
        const token = await tokenTo(username);
        // A mail scanner opens the link several times.
        for (let opened = 0; opened < 3; opened += 1)
          assert.equal((await get(`/auth/reset-password?token=${token}`)).statusCode, 200);
        const weak = await post(reset, { token, password: 'password password' });
        assert.equal(weak.statusCode, 422);
        const answer = await post(reset, { token, password: newPassword });
        assert.equal(answer.statusCode, reset.startsWith('/api') ? 200 : 303, answer.body);
        assert.equal(sessionCookie(answer), undefined);
        assert.equal(await countSessions(username), 0);
        assert.equal(await janua.isSignedIn(cookie), false);
        assert.equal(await janua.isSignedIn(bearer), false);
        await assertExpired(reset.replace('/api', '/auth'), { token });
        assert.equal((await post('/api/login', { username, password })).statusCode, 400);
        assert.equal((await post('/api/login', { username, password: newPassword })).statusCode, 200);
        assert.equal((await mailsTo(username))[0]?.subject, 'Your password was changed');
      });
    }

    test('of 50 redemptions at the same time, one succeeds', async () => {
      const username = await addPerson();
      await post('/auth/forgot-password', { email: username });
      const token = await tokenTo(username);
      const redeem = () => post('/api/reset-password', { token, password: newPassword });
      const answers = await Promise.all(Array.from({ length: 50 }, redeem));
      const statuses = Object.groupBy(answers, ({ statusCode }) => String(statusCode));
      assert.equal(statuses[200]?.length, 1, JSON.stringify(answers.map(({ statusCode }) => statusCode)));
      assert.deepEqual(
        Object.keys(statuses).filter((status) => !['200', '410', '503'].includes(status)),
        [],
      );
    });

    test('a request without a token gets nothing of the links that are open', async () => {
      const username = await addPerson();
      const bearer = ownOnly.skip ? undefined : (await janua.logIn(username)).bearer;
      await post('/auth/forgot-password', { email: username });
      if (bearer !== undefined) {
        await post('/auth/sign-up', { email: `open-${username}` });
        await post('/api/account/email', { email: `next-${username}`, current_password: password }, bearer);
      }
      await janua.services.mail?.settled();
      janua.pass(61_000);
      const paths = ['reset-password', 'sign-up/finish', 'confirm-email', 'enrol-factor', 'enrol-factor/begin'];
      const fields = { password: newPassword, first_name: 'A', last_name: 'B', code: '123456' };
      for (const url of paths.flatMap((path) => [`/auth/${path}`, `/api/${path}`])) {
        for (const query of [
          '',
          '?token=',
          '?token=%00',
          '?token[]=',
          '?token=null',
          '?token=undefined',
          '?token=%25',
        ]) {
          const answer = await get(url + query);
          assert.ok(answer.statusCode >= 300, `${url}${query} ${answer.statusCode}`);
          assert.ok(!answer.body.includes(username), `${url}${query}`);
        }
        for (const token of [undefined, '', null, 'null', [], [''], {}, 0, false]) {
          const sent = { ...fields, ...(token !== undefined && { token }) };
          const answer = await janua.app.inject({ method: 'POST', url, ...json(sent) });
          assert.ok(answer.statusCode >= 400, `${url} ${JSON.stringify(token)} ${answer.statusCode}`);
          assert.ok(!answer.body.includes(username), `${url} ${JSON.stringify(token)}`);
        }
      }
      assert.ok(await janua.logIn(username), 'the password has not changed');
    });

    test('a blank, foreign, truncated or expired token gets the same page', async () => {
      const username = await addPerson();
      await post('/auth/forgot-password', { email: username });
      const token = await tokenTo(username);
      const pages = new Set<string>();
      for (const wrong of [' ', 'null', 'x'.repeat(43), token.slice(1), `${token} `]) {
        const page = await get(`/auth/reset-password?token=${encodeURIComponent(wrong)}`);
        assert.equal(page.statusCode, 410);
        pages.add(page.body.replaceAll(/value="\/auth[^"]*"|<code>[^<]*/g, ''));
      }
      janua.pass(31 * 60_000);
      const page = await get(`/auth/reset-password?token=${token}`);
      assert.equal(page.statusCode, 410);
      pages.add(page.body.replaceAll(/value="\/auth[^"]*"|<code>[^<]*/g, ''));
      assert.equal(pages.size, 1);
      assert.match(page.body, /href="\/auth\/forgot-password"/);
    });
  });

  describe('the account', () => {
    test('shows name, address and sessions to its owner alone', async () => {
      const username = await addPerson();
      const { cookie, bearer } = await janua.logIn(username);
      const { created_at: created, ...rest } = (await get('/api/account', bearer)).json();
      assert.deepEqual(rest, {
        username,
        handle: null,
        verification: null,
        first_name: ann.firstName,
        last_name: ann.lastName,
        language: null,
        password_changed_at: null,
        sessions: 1,
        second_factor: false,
        groups: [],
        scope: '',
      });
      if (!stores.ownTable) assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60_000);
      const page = (await get('/account', cookie)).body;
      assert.match(page, new RegExp(username));
      for (const count of ['In 1 place', '0 tokens', '0 applications'])
        assert.ok(page.includes(`<dd>${count}</dd>`), count);
      assert.equal((await get('/account')).headers.location, '/auth/login?state=2&next=%2Faccount');
      assert.equal((await get('/api/account')).statusCode, 401);
    });

    test('the export holds what is stored about the user, and no secret', async () => {
      const username = await addPerson();
      // Janua knows a user of a team's own table once they have logged in.
      await janua.services.users.adoptByUsername(username);
      await post('/api/login', { username, password: 'wrong' });
      const { bearer } = await janua.logIn(username);
      await post('/api/forgot-password', { email: username });
      const link = await tokenTo(username);
      const { body } = await get('/api/account/export', bearer);
      const { account, second_factors: factors, sessions, links, events } = JSON.parse(body);
      assert.equal(account.username, username);
      assert.equal(sessions.length, 1);
      assert.deepEqual(factors, { passkeys: [], totp: false, recovery_codes_left: 0, trusted_browsers: [] });
      assert.deepEqual(
        links.map(({ purpose, address }: Record<string, string>) => [purpose, address]),
        [['reset-password', username]],
      );
      const told = events.map(({ kind, reason, route }: Record<string, string>) => [kind, reason, route].join(' '));
      for (const event of ['login-failed wrong-password POST /api/login', 'login-succeeded password POST /api/login'])
        assert.ok(told.includes(event), `${told}`);
      for (const secret of [bearer.authorization.split('.')[1] ?? '', link]) assert.ok(!body.includes(secret));
      assert.doesNotMatch(body, /password_?hash|\$argon2|stamp/i);
      janua.pass(601_000);
      const stale = await get('/api/account/export', bearer);
      assert.equal(stale.statusCode, 401);
      assert.match(String(stale.headers['www-authenticate']), /insufficient_user_authentication.*max_age=600/);
    });
  });

  describe('changed password', () => {
    test('ends all other sessions, renews this one, and mails a notice', async () => {
      const username = await addPerson();
      const other = await janua.logIn(username);
      const { cookie } = await janua.logIn(username);
      const answer = await post('/account/password', { current_password: password, new_password: newPassword }, cookie);
      assert.equal(answer.headers.location, '/account?state=1', answer.body);
      assert.equal(await countSessions(username), 1);
      assert.equal(await janua.isSignedIn(other.cookie), false);
      assert.equal(await janua.isSignedIn(cookie), false);
      const renewed = cookieOf(answer);
      assert.equal(await janua.isSignedIn(renewed), true);
      assert.match((await get('/account?state=1', renewed)).body, /Your password was changed/);
      assert.equal((await mailsTo(username))[0]?.subject, 'Your password was changed');
      assert.equal((await post('/api/login', { username, password: newPassword })).statusCode, 200);
    });

    test('a program gets a new token', async () => {
      const { bearer } = await janua.logIn(await addPerson());
      const answer = await post('/api/account/password', { new_password: newPassword }, bearer);
      assert.equal(answer.statusCode, 200, answer.body);
      const { access_token: token, token_type: type, detail } = answer.json();
      assert.deepEqual([type, detail], ['bearer', 'Password changed']);
      assert.equal(await janua.isSignedIn(bearer), false);
      assert.equal(await janua.isSignedIn({ authorization: `Bearer ${token}` }), true);
    });

    test('wants a fresh proof, and a wrong password is refused even in a fresh session', async () => {
      const { cookie, bearer } = await janua.logIn(await addPerson());
      const wrong = { current_password: `${password} `, new_password: newPassword };
      assert.deepEqual(errorsOf(await post('/api/account/password', wrong, bearer)), ['current_password']);
      assert.equal((await post('/account/password', wrong, cookie)).statusCode, 422);
      janua.pass(601_000);
      const page = await post('/account/password', { new_password: newPassword }, cookie);
      assert.equal(page.headers.location, '/auth/confirm?next=%2Faccount%2Fpassword%3Funsent%3D1');
      const refused = await post('/api/account/password', { new_password: newPassword }, bearer);
      assert.equal(refused.statusCode, 401);
      assert.equal(refused.json().error, 'insufficient_user_authentication');
      const proven = { current_password: password, new_password: newPassword };
      assert.equal((await post('/api/account/password', proven, bearer)).statusCode, 200);
    });

    test('a weak password is shown at its field, and never sent back', async () => {
      const username = await addPerson();
      const { cookie, bearer } = await janua.logIn(username);
      for (const weak of ['short', 'passwordpassword', username, 'x'.repeat(1025)]) {
        const fields = { current_password: password, new_password: weak };
        assert.deepEqual(errorsOf(await post('/api/account/password', fields, bearer)), ['new_password'], weak);
        const page = await post('/account/password', fields, cookie);
        assert.equal(page.statusCode, 422);
        assert.match(page.body, /aria-describedby="new_password-hint new_password-error"/);
        assert.doesNotMatch(page.body, /type="password" value="[^"]/);
        assert.ok(!page.body.includes(password));
      }
    });

    test('no way to set a password takes the name that its owner has, or enters beside it', ownOnly, async () => {
      const names = { first_name: 'Maximiliane', last_name: 'Montgomery' };
      const personal = ['maximiliane 2026', 'MONTGOMERY-montgomery', 'maximilianemontgomery'];
      const known = await addPerson();
      const { bearer } = await janua.logIn(known);
      await post('/api/account/profile', names, bearer);
      await post('/auth/forgot-password', { email: known });
      const reset = await tokenTo(known);
      await post('/auth/sign-up', { email: 'named@example.com' });
      const signUp = await tokenTo('named@example.com');
      const invited = { username: 'invited@example.com', firstName: '', lastName: '' };
      await janua.services.administration.invite(invited, true);
      const invitation = await tokenTo(invited.username);
      for (const secret of personal) {
        for (const [url, field, fields] of [
          ['/api/sign-up/finish', 'password', { ...names, token: signUp }],
          ['/api/sign-up/finish', 'password', { ...names, token: invitation }],
          ['/api/reset-password', 'password', { token: reset }],
          ['/api/account/password', 'new_password', { current_password: password }],
        ] as const)
          assert.deepEqual(
            errorsOf(await post(url, { ...fields, [field]: secret }, bearer)),
            [field],
            `${url} ${secret}`,
          );
        await assert.rejects(janua.services.administration.setPassword(known, secret), ChangeRefused);
      }
      // The links are good.
      assert.equal(
        (await post('/api/sign-up/finish', { ...names, token: signUp, password: newPassword })).statusCode,
        201,
      );
      assert.equal(
        (await post('/api/sign-up/finish', { ...names, token: invitation, password: newPassword })).statusCode,
        201,
      );
      assert.equal((await post('/api/reset-password', { token: reset, password: newPassword })).statusCode, 200);
    });

    test('voids the open links of the account', async () => {
      const username = await addPerson();
      await post('/auth/forgot-password', { email: username });
      const token = await tokenTo(username);
      const { bearer } = await janua.logIn(username);
      await post('/api/account/password', { new_password: newPassword }, bearer);
      await assertExpired('/auth/reset-password', { token });
    });
  });

  test('a request whose body comes after its session has ended changes nothing', async () => {
    const username = await addPerson();
    const { bearer } = await janua.logIn(username);
    const payload = new PassThrough();
    payload.write('{"new_password":');
    const headers = { ...bearer, 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const held = janua.app.inject({ method: 'POST', url: '/api/account/password', headers, payload });
    assert.equal(await janua.isSignedIn(bearer), true);
    await janua.people.setPassword(username, 'set by its owner meanwhile');
    payload.end(JSON.stringify(newPassword).concat('}'));
    assert.equal((await held).statusCode, 401);
    assert.equal((await post('/api/login', { username, password: 'set by its owner meanwhile' })).statusCode, 200);
  });

  test('of changes of a password at the same time, one is made and the session lives on', async () => {
    // Hashes of the real cost: a request must not reach the guard between the change of one and its new credentials.
    await using own = await startJanua({ stores, settings: { HASHING_CONCURRENCY: 2 } });
    const { bearer } = await own.logIn();
    const send = (url: string, body: object, headers = {}) =>
      own.app.inject({ method: 'POST', url, payload: body, headers });
    const changes = [1, 2, 3, 4].map(async (number) => {
      const body = { current_password: password, new_password: `${newPassword} ${number}` };
      return { number, answer: await send('/api/account/password', body, bearer) };
    });
    const answers = await Promise.all(changes);
    const [made, ...others] = answers.toSorted((one, other) => one.answer.statusCode - other.answer.statusCode);
    assert.deepEqual(
      [made, ...others].map((change) => change?.answer.statusCode),
      [200, 401, 401, 401],
    );
    const renewed = { authorization: `Bearer ${made?.answer.json().access_token}` };
    assert.equal(await own.isSignedIn(renewed), true);
    const set = { username: ann.username, password: `${newPassword} ${made?.number}` };
    assert.equal((await send('/api/login', set)).statusCode, 200);
  });

  describe('changed name and address', ownOnly, () => {
    test('the name changes at once, and must be one line', async () => {
      const { cookie, bearer } = await janua.logIn(await addPerson());
      const answer = await post('/account/profile', { first_name: ' Anna ', last_name: 'Baker' }, cookie);
      assert.equal(answer.headers.location, '/account?state=4');
      assert.equal((await get('/api/me', bearer)).json().first_name, 'Anna');
      const wrong = await post('/api/account/profile', { first_name: 'A\nB', last_name: '' }, bearer);
      assert.deepEqual(errorsOf(wrong), ['last_name']);
      const lines = await post('/api/account/profile', { first_name: 'A\nB', last_name: 'B' }, bearer);
      assert.deepEqual(errorsOf(lines), ['first_name']);
    });

    test('a name has at most 100 characters, each of which counts once', async () => {
      const { bearer } = await janua.logIn(await addPerson());
      const longest = '🦉'.repeat(100);
      for (const [first_name, status] of [
        [longest, 200],
        [`${longest}x`, 422],
      ] as const)
        assert.equal((await post('/api/account/profile', { first_name, last_name: 'B' }, bearer)).statusCode, status);
      assert.equal((await get('/api/me', bearer)).json().first_name, longest);
    });

    test('the address changes by the link, keeps the sessions, and both addresses are told', async () => {
      const former = await addPerson();
      const email = `new-${former}`;
      const { cookie, bearer } = await janua.logIn(former);
      const answer = await post('/account/email', { current_password: password, email }, cookie);
      assert.equal(answer.headers.location, '/account?state=2', answer.body);
      assert.equal((await mailsTo(former))[0]?.subject, 'Your address is about to change');
      const [{ text = '' } = {}] = await mailsTo(email);
      for (const own of [ann.firstName, former.replace('@', ' ')])
        assert.ok(!text.includes(own), 'it may be a stranger');
      const token = await tokenTo(email);
      assert.equal((await get('/api/me', bearer)).json().username, former);
      assert.match((await get(`/auth/confirm-email?token=${token}`)).body, new RegExp(email));
      const confirmed = await post('/auth/confirm-email', { token }, cookie);
      assert.equal(confirmed.headers.location, '/account?state=3');
      assert.equal((await get('/api/me', bearer)).json().username, email);
      for (const address of [former, email])
        assert.equal((await mailsTo(address))[0]?.subject, 'Your address was changed');
      await assertExpired('/auth/confirm-email', { token });
    });

    test('another address wants a fresh proof', async () => {
      const { bearer } = await janua.logIn(await addPerson());
      janua.pass(601_000);
      const email = 'unproved@example.com';
      assert.equal((await post('/api/account/email', { email }, bearer)).statusCode, 401);
      const wrong = await post('/api/account/email', { email, current_password: 'wrong' }, bearer);
      assert.deepEqual(errorsOf(wrong), ['current_password']);
      assert.deepEqual(await mailsTo(email), []);
    });

    test('a browser in which the user is not signed in learns of the change on the login page', async () => {
      const { bearer } = await janua.logIn(await addPerson());
      const other = await janua.logIn(await addPerson());
      for (const [email, headers] of [
        ['signed-out@example.com', {}],
        ['of-another@example.com', other.cookie],
      ] as const) {
        await post('/api/account/email', { email }, bearer);
        const confirmed = await post('/auth/confirm-email', { token: await tokenTo(email) }, headers);
        assert.equal(confirmed.headers.location, '/auth/login?state=10');
      }
      assert.match((await get('/auth/login?state=10')).body, /Your email address was changed/);
    });

    test('a taken address gets the same answer, and its link fails like an expired one', async () => {
      const taken = await addPerson();
      const { bearer } = await janua.logIn(await addPerson());
      const [free, other] = await Promise.all(
        ['free@example.com', taken].map((email) => post('/api/account/email', { email }, bearer)),
      );
      assert.deepEqual([free?.statusCode, free?.body], [202, other?.body]);
      const token = await tokenTo(taken);
      assert.equal((await get(`/auth/confirm-email?token=${token}`)).statusCode, 410);
      await assertExpired('/auth/confirm-email', { token });
      assert.equal((await post('/api/login', { username: taken, password })).statusCode, 200);
    });

    test('each of two links changes to the address that it was sent to', async () => {
      const { bearer } = await janua.logIn(await addPerson());
      await post('/api/account/email', { email: 'one@example.com' }, bearer);
      await post('/api/account/email', { email: 'two@example.com' }, bearer);
      const one = await tokenTo('one@example.com');
      const two = await tokenTo('two@example.com');
      assert.equal((await post('/api/confirm-email', { token: one })).statusCode, 200);
      assert.equal((await get('/api/me', bearer)).json().username, 'one@example.com');
      // The first change voided the other link.
      await assertExpired('/auth/confirm-email', { token: two });
    });
  });

  describe('deleted account', ownOnly, () => {
    test('ends everything, and mails a farewell', async () => {
      const username = await addPerson();
      const other = await janua.logIn(username);
      const { cookie } = await janua.logIn(username);
      await post('/auth/forgot-password', { email: username });
      const token = await tokenTo(username);
      const answer = await post('/account/delete', { current_password: password }, cookie);
      assert.equal(answer.headers.location, '/auth/login?state=7', answer.body);
      for (const credentials of [cookie, other.cookie, other.bearer])
        assert.equal(await janua.isSignedIn(credentials), false);
      await assertExpired('/auth/reset-password', { token });
      assert.equal((await post('/api/login', { username, password })).statusCode, 400);
      assert.equal((await mailsTo(username))[0]?.subject, 'Your account was deleted');
    });

    test('wants the password, unless it was just given', async () => {
      const { bearer } = await janua.logIn(await addPerson());
      janua.pass(601_000);
      assert.equal((await post('/api/account/delete', {}, bearer)).statusCode, 401);
      assert.deepEqual(errorsOf(await post('/api/account/delete', { current_password: 'x' }, bearer)), [
        'current_password',
      ]);
      assert.equal((await post('/api/account/delete', { current_password: password }, bearer)).statusCode, 200);
    });
  });

  test('an address must be exactly one', async () => {
    for (const email of [
      '',
      'ann',
      'a@x.com,b@y.com',
      'a@x.com b@y.com',
      'a@b@c.com',
      'a\r\nbcc:b@x.com',
      'a\uff20b@c.com',
    ])
      assert.deepEqual(errorsOf(await post('/api/forgot-password', { email })), ['email'], email);
  });

  if (stores.ownTable)
    test('of a table of their own, what needs more than the password is left out', async () => {
      const { cookie } = await janua.logIn(await addPerson());
      for (const url of ['/auth/sign-up', '/account/profile', '/account/email', '/account/delete'])
        assert.equal((await get(url, cookie)).statusCode, 404, url);
      assert.doesNotMatch((await get('/account', cookie)).body, /\/account\/(profile|email|delete)/);
    });
}
