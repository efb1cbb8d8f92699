import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ann, password, startJanua, type TestOptions } from '../../janua.ts';
import { addPasskey } from '../second-factor/add-passkey.ts';
import { createAuthenticator } from '../second-factor/authenticator.ts';
import { addApp, codeOf } from '../second-factor/authenticator-app.ts';
import { createGoogle, googleUser } from '../upstream/fakes.ts';
import { open as openUpstreams } from '../upstream/opened.ts';

interface Client {
  readonly agent?: string;
  readonly address?: string;
  readonly headers?: Record<string, string>;
  readonly secret?: string;
  readonly username?: string;
}

/** A server with a clock that mails its users about new sign-ins. */
async function open({ settings, overrides, stores }: TestOptions = {}) {
  const janua = await startJanua({
    ...{ time: Date.now(), overrides, stores },
    settings: { LOGIN_NOTICES: 'on', THROTTLE: 'on', SIGN_UP: 'on', ...settings },
  });
  const send = (url: string, fields: object, { agent = 'curl/8', address, headers }: Client = {}) =>
    janua.post(url, fields, { 'user-agent': agent, ...headers }, address);
  return {
    ...janua,
    send,
    signIn: ({ username = ann.username, secret = password, ...client }: Client = {}) =>
      send('/api/login', { username, password: secret }, client),
    /** The mails about new sign-ins, the newest first. */
    notices: async () => (await janua.mails()).filter(({ text }) => text.includes('/account/sessions')),
  };
}

const cookiesOf = (answer: Awaited<ReturnType<Awaited<ReturnType<typeof open>>['signIn']>>, name: string) => ({
  cookie: `${name}=${answer.cookies.find((cookie) => cookie.name === name)?.value}`,
});

const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0';

describe('the user is told about a login', () => {
  test('from a new browser, with browser, address and time, and the way to end it', async () => {
    await using opened = await open();
    const { statusCode } = await opened.signIn({ agent: firefox, address: '203.0.113.7' });
    assert.equal(statusCode, 200);
    const [mail] = await opened.notices();
    assert.deepEqual([mail?.to, mail?.subject], [ann.username, 'New sign-in']);
    assert.match(mail?.text ?? '', /Firefox on Windows, 203\.0\.113\.7, \w+ \d+, \d{4} at/);
    assert.match(mail?.text ?? '', /^http:\/\/\S+\/account\/sessions$/m);
  });

  test('in the language of the browser', async () => {
    await using opened = await open();
    await opened.signIn({ agent: firefox, headers: { 'accept-language': 'de' } });
    const [mail] = await opened.notices();
    assert.equal(mail?.subject, 'Neue Anmeldung');
    assert.match(mail?.text ?? '', /Firefox unter Windows/);
  });

  for (const [what, first, second] of [
    ['another program', { agent: 'curl/8' }, { agent: 'Wget/1' }],
    ['another address', { address: '192.0.2.1' }, { address: '192.0.2.2' }],
    ['another network of IPv6', { address: '2001:db8::1' }, { address: '2001:db8:0:1::1' }],
  ] as const)
    test(`from ${what}`, async () => {
      await using opened = await open();
      await opened.signIn(first);
      opened.pass(61_000);
      await opened.signIn(second);
      assert.equal((await opened.notices()).length, 2);
    });

  test('that a second factor finishes', async () => {
    await using opened = await open();
    const secret = await addApp(opened, await opened.account());
    opened.pass(61_000);
    const { mfa_token } = (await opened.signIn()).json();
    assert.equal((await opened.notices()).length, 0);
    const code = codeOf(secret, opened.now());
    const answer = await opened.send('/api/second-factor', { mfa_token, method: 'totp', code });
    assert.equal(answer.statusCode, 200);
    assert.equal((await opened.notices()).length, 1);
  });

  test('by passkey', async () => {
    await using opened = await open();
    const authenticator = createAuthenticator();
    await addPasskey(opened.services, await opened.account(), authenticator);
    const begun = await opened.send('/api/passkey/options', {});
    const credential = authenticator.get(begun.json());
    const answer = await opened.send('/api/passkey', { credential }, { headers: cookiesOf(begun, 'ceremony') });
    assert.equal(answer.statusCode, 200);
    assert.equal((await opened.notices()).length, 1);
  });

  test('by another provider', async () => {
    const fake = createGoogle();
    await using opened = await openUpstreams({ fetch: fake.fetch, settings: { LOGIN_NOTICES: 'on' } });
    const browser = opened.createBrowser();
    await browser.back(fake.authorize(await browser.begin(), googleUser()));
    assert.deepEqual(
      (await opened.mails()).map(({ to, subject }) => [to, subject]),
      [['gail@gmail.com', 'New sign-in']],
    );
  });

  test('from a program whose sessions have ended', async () => {
    await using opened = await open();
    const { access_token } = (await opened.signIn()).json();
    opened.pass(61_000);
    await opened.send('/api/logout', {}, { headers: { authorization: `Bearer ${access_token}` } });
    await opened.signIn();
    assert.equal((await opened.notices()).length, 2);
  });

  test('although another one was mailed within the same minute', async () => {
    await using opened = await open();
    for (const agent of [firefox, 'curl/8']) await opened.signIn({ agent });
    assert.equal((await opened.notices()).length, 2);
  });

  test('however many other mails its client has asked for', async () => {
    await using opened = await open();
    for (let count = 0; count < 30; count++)
      await opened.send('/api/forgot-password', { email: `user${count}@example.com` });
    await opened.signIn();
    assert.equal((await opened.notices()).length, 1);
  });
});

describe('the user is not told about a login', () => {
  test('from a browser that the account has used', async () => {
    await using opened = await open();
    const first = await opened.signIn({ agent: firefox });
    await opened.services.sessions.endAllOf((await opened.account()).user.id);
    opened.pass(61_000);
    await opened.signIn({ agent: firefox, address: '198.51.100.1', headers: cookiesOf(first, 'browser') });
    assert.equal((await opened.notices()).length, 1);
  });

  test('from a program that logs in again and again from the same network', async () => {
    await using opened = await open();
    for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::3']) {
      await opened.signIn({ address });
      opened.pass(61_000);
    }
    assert.equal((await opened.notices()).length, 1);
  });

  test('that replaces the session which shows that the program is known', async () => {
    await using opened = await open();
    const first = await opened.signIn();
    opened.pass(61_000);
    await opened.signIn({ headers: cookiesOf(first, 'session') });
    assert.equal((await opened.notices()).length, 1);
  });

  test('that failed', async () => {
    await using opened = await open();
    assert.equal((await opened.signIn({ secret: 'wrong' })).statusCode, 400);
    assert.equal((await opened.notices()).length, 0);
  });

  test('that ends a sign-up', async () => {
    await using opened = await open();
    await opened.send('/api/sign-up', { email: 'eve@example.com' });
    const token = await opened.tokenTo('eve@example.com');
    const finished = { token, first_name: 'Eve', last_name: 'E', password: 'staple of many batteries' };
    assert.equal((await opened.send('/api/sign-up/finish', finished)).statusCode, 201);
    assert.equal((await opened.notices()).length, 0);
  });

  for (const [how, options] of [
    ['LOGIN_NOTICES=off', { settings: { LOGIN_NOTICES: 'off' } }],
    ['a server without mail', { overrides: { demoMailbox: false } }],
  ] as const)
    test(`with ${how}`, async () => {
      await using opened = await open(options);
      assert.equal((await opened.signIn()).statusCode, 200);
      assert.equal(await opened.services.outbox.countQueued(), 0);
    });

  test('with a user name that is no address', async () => {
    await using opened = await open({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
    await opened.people.add({ ...ann, username: 'asmith', password });
    assert.equal((await opened.signIn({ username: 'asmith' })).statusCode, 200);
    await opened.services.mail?.settled();
    const events = await opened.events({ kind: 'mail-not-sent' });
    assert.deepEqual([await opened.services.outbox.countQueued(), events.length], [0, 0]);
  });
});

test('an account gets at most five mails about sign-ins an hour', async () => {
  await using opened = await open();
  for (let count = 0; count < 20; count++) {
    assert.equal((await opened.signIn({ agent: `program-${count}` })).statusCode, 200);
    opened.pass(31_000);
  }
  assert.equal((await opened.notices()).length, 5);
});
