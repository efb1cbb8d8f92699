import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from '../../../src/ground/database/kysely.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { createAuthenticator } from '../../capabilities/second-factor/authenticator.ts';
import { codeOf } from '../../capabilities/second-factor/authenticator-app.ts';
import type { SentHeaders } from '../../client.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { ann, password, startJanua, type TestOptions } from '../../janua.ts';
import { isLong } from '../../long.ts';
import type { StoreChoice } from '../../stores.ts';
import { startScriptedSmtp } from '../mail/scripted-smtp.ts';

const newPassword = 'a much better password than before';
const origin = 'http://localhost:5000';

/**
 * A server whose mail goes to a server that a test directs, and Ann, who has just logged in.
 * @param deferred the address whose mail has to wait
 */
async function open(stores: StoreChoice, options: TestOptions = {}, deferred?: string) {
  const smtp = await startScriptedSmtp();
  smtp.direct((command) =>
    deferred !== undefined && command.startsWith(`RCPT TO:<${deferred}`) ? { answer: '450 later' } : undefined,
  );
  const settings = {
    ...{ PUBLIC_URL: origin, MAIL_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'no-reply@example.com' },
    ...options.settings,
  };
  const janua = await startJanua({ stores, ...options, settings, overrides: { demoMailbox: false } });
  const { services } = janua;
  // Ann has no factor.
  const { bearer } = settings.SECOND_FACTOR === 'required' ? { bearer: {} } : await janua.logIn();

  const post = (url: string, fields: object = {}, headers: SentHeaders = bearer) => janua.post(url, fields, headers);
  const get = async (url: string, headers: SentHeaders = bearer) => {
    const answer = await janua.get(url, headers);
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  };

  return {
    ...janua,
    ...{ smtp, bearer, post, get },
    /** Sends what waits, until nothing does. */
    async sendAll() {
      await services.outbox.retry();
      services.mail?.wake();
      await services.mail?.settled();
    },
    /** The token of the link in the newest mail to an address. */
    tokenTo(address: string): string {
      const mails = smtp.received.filter(({ to }) => to.includes(address));
      const texts = mails.map(({ data }) => data.replaceAll('=\n', '').replaceAll('=3D', '='));
      const tokens = texts.map((text) => /token=([\w-]{43})/.exec(text)?.[1]).filter((token) => token !== undefined);
      return tokens.at(-1) ?? assert.fail(`no link to ${address}`);
    },
    /** Lets something happen each time after a fresh proof was found good, and before what it is for is done. */
    afterProof(happen: () => Promise<unknown>) {
      const { requireFresh } = services;
      Object.assign(services, {
        requireFresh: async (...args: Parameters<typeof requireFresh>) => {
          const proven = await requireFresh(...args);
          await happen();
          return proven;
        },
      });
    },
    async [Symbol.asyncDispose]() {
      await janua[Symbol.asyncDispose]();
      await smtp[Symbol.asyncDispose]();
    },
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** What lasts, or mails a link that does: how Ann asks for it, and what is there afterwards. */
const lasting: Readonly<Record<string, (opened: Opened) => Promise<() => ReturnType<Opened['post']>>>> = {
  'a personal token':
    async ({ post }) =>
    () =>
      post('/api/account/tokens', { name: 'report', expires_in_days: 365 }),
  async 'an authenticator app'({ post }) {
    const { secret } = (await post('/api/account/security/totp/begin')).json();
    return () => post('/api/account/security/totp', { code: codeOf(secret, Date.now()) });
  },
  async 'a passkey'({ post, bearer }) {
    const asked = await post('/api/account/security/passkeys/options');
    const ceremony = asked.cookies.find(({ name }) => name.endsWith('ceremony'));
    const cookie = `${ceremony?.name}=${ceremony?.value}`;
    const credential = createAuthenticator().create(asked.json());
    return () => post('/api/account/security/passkeys', { credential }, { ...bearer, cookie });
  },
  'another password':
    async ({ post }) =>
    () =>
      post('/api/account/password', { new_password: 'a password that a thief has chosen' }),
};

/** What needs Janua's own table of users. */
const own: typeof lasting = {
  'another address':
    async ({ post }) =>
    () =>
      post('/api/account/email', { email: 'thief@example.com' }),
  'the end of the account':
    async ({ post }) =>
    () =>
      post('/api/account/delete'),
};

/** Every change of an account comes before or after another one, whatever it is, on any stores. The tables are whole on SQLite. */
export function testDoors(stores: StoreChoice): void {
  const isWhole = isLong || (stores.users === 'SQLite' && !stores.ownTable);
  if (stores.ownTable) testOwnTable(stores);
  else testOwnAccounts(stores, isWhole);
  if (stores.ownTable && stores.users !== 'SQLite' && !isLong) return;

  describe('a change between the proof and what it was for', () => {
    const all = Object.entries({ ...lasting, ...(stores.ownTable ? {} : own) });
    for (const [what, begin] of isWhole ? all : all.slice(0, 1)) {
      test(`leaves the account without ${what}`, async () => {
        await using opened = await open(stores);
        const { people, services, account, afterProof, smtp, sendAll } = opened;
        const ask = await begin(opened);
        afterProof(() => people.setPassword(ann.username, newPassword));
        const refused = await ask();
        const isMail = what === 'another address';
        assert.equal(refused.statusCode, isMail ? 202 : 401, refused.body);
        const { user } = await account();
        const { passkeys, totp } = await services.manageFactors.list(user, '');
        assert.deepEqual([passkeys, totp, await services.personalTokens.list(user)], [[], undefined, []]);
        await sendAll();
        assert.deepEqual(
          smtp.received.filter(({ to }) => to.includes('thief@example.com')),
          [],
        );
        const login = await opened.post('/api/login', { username: ann.username, password: newPassword }, {});
        assert.equal(login.statusCode, 200, login.body);
      });
    }

    test('leaves a user who was disabled without a personal token', async () => {
      await using opened = await open(stores);
      const { people, services, post, account, afterProof } = opened;
      afterProof(() => people.disable(ann.username));
      const refused = await post('/api/account/tokens', { name: 'report', expires_in_days: 365 });
      assert.equal(refused.statusCode, 401, refused.body);
      assert.deepEqual(await services.personalTokens.list((await account()).user), []);
    });
  });

  test('no token that is asked for beside a reset signs in afterwards', async () => {
    await using opened = await open(stores);
    const { post, tokenTo, sendAll } = opened;
    let bearer: Record<string, string> = opened.bearer;
    let current = password;
    for (const next of [newPassword, `${newPassword} again`]) {
      await post('/api/forgot-password', { email: ann.username }, {});
      await sendAll();
      const token = tokenTo(ann.username);
      const asked = Array.from({ length: 24 }, (_, index) => ({ name: `token ${index}`, expires_in_days: 365 }));
      const [reset, ...answers] = await Promise.all([
        post('/api/reset-password', { token, password: next }, {}),
        ...asked.map((fields) => post('/api/account/tokens', fields, bearer)),
      ]);
      assert.equal(reset.statusCode, 200, reset.body);
      current = next;
      for (const answer of answers) {
        assert.ok([201, 401].includes(answer.statusCode), answer.body);
        const authorization = `Bearer ${answer.json().token}`;
        assert.equal(await opened.isSignedIn({ authorization }), false, 'the token signs in');
      }
      const login = await post('/api/login', { username: ann.username, password: current }, {});
      bearer = { authorization: `Bearer ${login.json().access_token}` };
    }
  });

  if (stores.ownTable && !isLong) return;

  test('the mail after a reset names what still signs in, and the next login shows it', async () => {
    await using opened = await open(stores);
    const { post, tokenTo, sendAll, smtp } = opened;
    const { secret } = (await post('/api/account/security/totp/begin')).json();
    const added = await post('/api/account/security/totp', { code: codeOf(secret, Date.now()) });
    assert.equal(added.statusCode, 200, added.body);
    await post('/api/forgot-password', { email: ann.username }, {});
    await sendAll();
    const reset = await opened.post(
      '/auth/reset-password',
      { token: tokenTo(ann.username), password: newPassword },
      {},
    );
    assert.equal(reset.headers.location, '/auth/login?state=6&next=%2Faccount%2Fsecurity%3Fstate%3D8');
    await sendAll();
    const notices = smtp.received.filter(({ data }) => data.includes('Your password was reset'));
    assert.equal(notices.length, 1);
    const text = notices[0]?.data.replaceAll(/=?\n/g, ' ') ?? '';
    assert.match(text, /still sign in to your account: Authenticator app\./);
    assert.match(text, /\/account\/security/);
  });

  test('two links of one account that are used at once do not wait for each other', async () => {
    await using opened = await open(stores);
    const { app, post, tokenTo, sendAll } = opened;
    for (let round = 0; round < 4; round += 1) {
      await sendAll();
      const tokens: string[] = [];
      for (const _ of [1, 2]) {
        await post('/api/forgot-password', { email: ann.username }, {});
        await sendAll();
        tokens.push(tokenTo(ann.username));
      }
      assert.notEqual(tokens[0], tokens[1]);
      const answers = await Promise.all([
        ...tokens.map((token) => post('/api/reset-password', { token, password: newPassword }, {})),
        ...Array.from({ length: 8 }, () => app.inject({ url: '/api/me', headers: opened.bearer })),
      ]);
      const [one, other, ...bystanders] = answers.map(({ statusCode }) => statusCode);
      assert.deepEqual([one, other].sort(), [200, 410]);
      for (const status of bystanders) assert.ok([200, 401].includes(status ?? 0), String(status));
    }
  });

  test('what fails after a change hides nothing of it', async () => {
    await using opened = await open(stores);
    const { services, post, account } = opened;
    const { secret } = (await post('/api/account/security/totp/begin')).json();
    const away = () => Promise.reject(new Unavailable('The session store', 1));
    const { endOthersOf, renew } = services.sessions;
    Object.assign(services.sessions, { endOthersOf: away, renew: away });
    const added = await post('/api/account/security/totp', { code: codeOf(secret, Date.now()) });
    Object.assign(services.sessions, { endOthersOf, renew });
    assert.equal(added.statusCode, 200, added.body);
    assert.equal(added.json().recovery_codes.length, 10);
    assert.equal(added.json().access_token, undefined);
    assert.ok((await services.manageFactors.list((await account()).user, '')).totp);
    // The new stamp ends the session, and the user signs in with the app or a code.
    assert.equal(await opened.isSignedIn(opened.bearer), false);
  });

  test('a session is not renewed under the stamp of a later change', async () => {
    await using opened = await open(stores);
    const { services, post, people } = opened;
    const { secret } = (await post('/api/account/security/totp/begin')).json();
    const { endOthersOf } = services.sessions;
    Object.assign(services.sessions, {
      // The owner is faster than the end of the first change, and cannot end the session that made it.
      async endOthersOf() {
        Object.assign(services.sessions, { endOthersOf, endAllOf: async () => 0 });
        await people.setPassword(ann.username, newPassword);
        return 0;
      },
    });
    const added = await post('/api/account/security/totp', { code: codeOf(secret, Date.now()) });
    assert.equal(added.statusCode, 200, added.body);
    assert.equal(added.json().recovery_codes.length, 10);
    const { access_token: token = '' } = added.json();
    assert.equal(await opened.isSignedIn({ authorization: `Bearer ${token}` }), false);
  });
}

/** Mails about an account that have a link: how each is asked for, and the address that it goes to. */
const mails: Readonly<Record<string, { readonly to: string; ask(opened: Opened): Promise<unknown> }>> = {
  'a new address': {
    to: 'thief@example.com',
    ask: ({ post }) => post('/api/account/email', { email: 'thief@example.com' }),
  },
  'the first factor': {
    to: ann.username,
    ask: ({ post }) => post('/api/login', { username: ann.username, password }, {}),
  },
  'an invitation': {
    to: 'thief@example.com',
    ask: ({ services }) =>
      services.administration.invite({ username: 'thief@example.com', firstName: 'T', lastName: 'T' }, true),
  },
};

/** Changes after which none of these links may work. */
const endings: Readonly<Record<string, (opened: Opened, username: string) => Promise<unknown>>> = {
  'an operator sets the password': ({ people }, username) => people.setPassword(username, newPassword),
  'an operator ends the sessions': ({ services }, username) => services.administration.endSessions(username),
  async 'the user is disabled for a while'({ people }, username) {
    await people.disable(username);
    await people.enable(username);
  },
  async 'the owner resets the password'({ post, tokenTo, sendAll }, username) {
    await post('/api/forgot-password', { email: username }, {});
    await sendAll();
    const reset = await post('/api/reset-password', { token: tokenTo(username), password: newPassword }, {});
    assert.equal(reset.statusCode, 200, reset.body);
  },
};

function testOwnAccounts(stores: StoreChoice, isWhole: boolean): void {
  describe('a mail that waited at the mail server brings no link, once', () => {
    for (const [mail, { to, ask }] of Object.entries(mails))
      for (const [ending, make] of isWhole ? Object.entries(endings) : []) {
        // The reset has a mail of its own, which would wait too.
        if (ending === 'the owner resets the password' && mail !== 'a new address') continue;
        test(`${ending} (${mail})`, async () => {
          const settings = { SECOND_FACTOR: mail === 'the first factor' ? 'required' : 'optional' } as const;
          await using opened = await open(stores, { settings }, to);
          const { services, smtp, sendAll } = opened;
          await ask(opened);
          await services.mail?.settled();
          assert.equal(await services.outbox.countQueued(), 1, 'the mail waits');
          await make(opened, mail === 'an invitation' ? to : ann.username);
          smtp.direct(() => undefined);
          await sendAll();
          const toIts = smtp.received.filter((received) => received.to.includes(to));
          assert.deepEqual(
            toIts.filter(({ data }) => data.replaceAll('=\n', '').includes('token=')),
            [],
          );
          const reasons = (await opened.events({ kind: 'mail-not-sent' })).map(({ reason }) => reason);
          assert.deepEqual(reasons, ['outdated']);
        });
      }

    test('but one that works, if nothing has changed', async () => {
      await using opened = await open(stores, {}, 'new@example.com');
      const { smtp, post, sendAll, tokenTo, services } = opened;
      await post('/api/account/email', { email: 'new@example.com' });
      await services.mail?.settled();
      smtp.direct(() => undefined);
      await sendAll();
      const confirmed = await post('/api/confirm-email', { token: tokenTo('new@example.com') }, {});
      assert.equal(confirmed.statusCode, 200, confirmed.body);
      assert.ok(await services.users.findByUsername('new@example.com'));
    });
  });

  test('a reset link to an address counts only while the account has it', async () => {
    await using opened = await open(stores);
    const { services, post, sendAll, tokenTo } = opened;
    await post('/api/account/email', { email: 'new@example.com' });
    await sendAll();
    const confirmation = tokenTo('new@example.com');
    const { adoptByUsername } = services.users;
    Object.assign(services.users, {
      // The address changes after the sender has looked the account up.
      async adoptByUsername(username: string) {
        const found = await adoptByUsername(username);
        if (username !== ann.username) return found;
        Object.assign(services.users, { adoptByUsername });
        assert.equal((await post('/api/confirm-email', { token: confirmation }, {})).statusCode, 200);
        return found;
      },
    });
    await post('/api/forgot-password', { email: ann.username }, {});
    await sendAll();
    assert.throws(() => tokenTo(ann.username), /no link/);
  });

  test('of changes by the user and an administrator at the same time, none is lost', async () => {
    await using opened = await open(stores);
    const { services, post, account } = opened;
    await services.administration.addGroup({ name: 'staff', description: '', scopes: [] });
    for (const [turn, language] of ['de', 'fr', 'es', 'vi', 'en'].entries()) {
      const groups = turn % 2 === 0 ? ['staff'] : [];
      const [answer] = await Promise.all([
        post('/api/account/profile', { first_name: `First${turn}`, last_name: `Last${turn}` }),
        post('/api/language', { language }),
        services.administration.changeGroups(ann.username, turn % 2 === 0 ? { add: ['staff'] } : { remove: ['staff'] }),
      ]);
      assert.equal(answer.statusCode, 200, answer.body);
      const { user } = await account();
      const expected = [`First${turn}`, `Last${turn}`, language, groups];
      assert.deepEqual([user.firstName, user.lastName, user.language, user.groups], expected);
    }
  });

  test('profile changes at the same time leave the search as the name is', async () => {
    await using opened = await open(stores);
    const { services, post, account } = opened;
    const names = Array.from({ length: 20 }, (_, index) => `Name${index}`);
    const answers = await Promise.all(
      names.map((name) => post('/api/account/profile', { first_name: name, last_name: `${name}son` })),
    );
    assert.deepEqual([...new Set(answers.map(({ statusCode }) => statusCode))], [200]);
    const { firstName, lastName } = (await account()).user;
    for (const name of names) {
      const found = await services.users.findIds('prefix', `${name.toLowerCase()} `, 10);
      assert.equal(found?.length, name === firstName ? 1 : 0, `${name} is found, the name is ${firstName}`);
    }
    assert.equal(lastName, `${firstName}son`);
  });
}

function testOwnTable(stores: StoreChoice): void {
  test('the new owner of an id inherits nothing, and sees nothing of the former one', async () => {
    await using opened = await open(stores);
    const { services, post, get, account, smtp } = opened;
    await post('/api/account/tokens', { name: 'report', expires_in_days: 30 });
    const former = await account();
    const { id } = former.user;
    await using team = await openTestDatabase(opened.databaseUrl);
    smtp.direct((command) => (command.startsWith('RCPT') ? { answer: '450 later' } : undefined));
    await post('/api/account/password', { new_password: 'the last password of the former' });
    await sql`update people set email = 'bob@example.com' where email = ${ann.username}`.execute(team.database);
    const login = await post(
      '/api/login',
      { username: 'bob@example.com', password: 'the last password of the former' },
      {},
    );
    assert.equal(login.statusCode, 200, login.body);
    const bearer = { authorization: `Bearer ${login.json().access_token}` };
    assert.equal(await services.users.findById(id), undefined);

    const { sessions } = await get('/api/account/sessions', bearer);
    assert.equal(sessions.length, 1);
    const exported = await get('/api/account/export', bearer);
    assert.deepEqual([exported.tokens, exported.links, exported.mails], [[], [], []]);
    assert.equal(exported.sessions.length, 1);
    const kinds: string[] = exported.events.map(({ kind }: { kind: string }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'login-succeeded').length, 1, kinds.join(' '));
    assert.ok(!kinds.includes('password-changed'), kinds.join(' '));
    assert.ok(!JSON.stringify(exported).includes(ann.username));

    // The notice still goes to the former owner.
    smtp.direct(() => undefined);
    await opened.sendAll();
    assert.deepEqual(
      smtp.received.map(({ to }) => to),
      [[ann.username]],
    );
    assert.ok(!smtp.received.some(({ data }) => data.includes('Bob')));
    assert.equal(await opened.isSignedIn(opened.bearer), false);
  });
}
