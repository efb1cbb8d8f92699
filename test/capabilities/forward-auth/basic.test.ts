import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain } from '../../../src/core/audit/explanation.ts';
import { events } from '../../../src/site.ts';
import { type SentHeaders, withHeaders } from '../../client.ts';
import { insertSample } from '../../ground/database/sample-rows.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { asJson } from '../../web/faces.ts';
import {
  appOrigin,
  createForwardBrowser,
  forwarded,
  forwardSettings,
  navigating,
  otherOrigin,
  own,
  signInAt,
} from './forward-browser.ts';

const day = 86_400_000;
const unruled = 'https://unruled.example.com';
const challenge = 'Basic realm="janua", charset="UTF-8"';
const basic = (secret: string, name: string = ann.username) => ({
  authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`,
});

async function open(
  stores: StoreChoice = { users: 'SQLite', sessions: 'SQL' },
  rules = [`${appOrigin}=staff|basic`, `${appOrigin}/closed=staff`, `${otherOrigin}=staff|other|basic`],
) {
  const settings = {
    ...forwardSettings,
    FORWARD_AUTH_ORIGINS: [...forwardSettings.FORWARD_AUTH_ORIGINS, unruled],
    FORWARD_AUTH_RULES: rules,
    SCOPES: ['reports:read'],
    THROTTLE: 'on',
  } as const;
  const janua = await startJanua({ settings, time: Date.now(), stores });
  const { administration } = janua.services;
  await administration.addGroup({ name: 'staff', description: '', scopes: ['reports:read'] });
  await administration.changeGroups(ann.username, { add: ['staff'] });
  const client = withHeaders(janua, asJson);
  const ask = (address: string, headers: SentHeaders = {}, from = '192.0.2.7') =>
    janua.get('/auth/verify', { ...forwarded(address), 'x-forwarded-for': from, ...headers }, '127.0.0.1');
  return {
    ...janua,
    ...client,
    ask,
    statusOf: async (address: string, headers?: SentHeaders, from?: string) =>
      (await ask(address, headers, from)).statusCode,
    async make(more: object = {}) {
      const fields = { name: 'Calendar', host: appOrigin, expires_in_days: 30, ...more };
      const made = await client.post('/api/account/tokens', fields, (await janua.logIn()).bearer);
      assert.equal(made.statusCode, 201, made.body);
      return made.json() as { id: string; token: string; host: string | null; scope: string };
    },
  };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[]) {
  const table = 'ownTable' in stores ? "a team's own table in " : '';
  describe(`tokens for one host, users in ${table}${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('let a program in by Basic at that host, as their user, until they expire', async () => {
      await using opened = await open(stores);
      const { make, ask, statusOf, pass } = opened;
      const { token, host, scope } = await make();
      assert.deepEqual([host, scope], [appOrigin, '']);
      for (const name of [ann.username, '', 'somebody else', 'ö'])
        assert.equal(await statusOf(`${appOrigin}/dav/`, basic(token, name)), 200, name);
      const { headers, body } = await ask(`${appOrigin}/dav/a%20b.ics?x`, basic(token));
      assert.deepEqual([headers['remote-user'], headers['remote-groups'], body], [ann.username, 'staff', '']);
      pass(30 * day - 1);
      assert.equal(await statusOf(`${appOrigin}/`, basic(token)), 200);
      pass(1);
      assert.equal(await statusOf(`${appOrigin}/`, basic(token)), 401);
    });

    test('open nothing else', async () => {
      await using opened = await open(stores);
      const { make, statusOf, get, post, services } = opened;
      const { token } = await make();
      const signedIn = await services.access.findSignedIn({ hostToken: { token, host: appOrigin } });
      assert.deepEqual([signedIn?.scopes, signedIn?.limited], [[], true]);
      const bearer = { authorization: `Bearer ${token}` };
      for (const address of [
        `${otherOrigin}/`,
        `${unruled}/`,
        `${appOrigin}/closed/x`,
        `${appOrigin}/a/../closed`,
        `${own}/account`,
        'https://evil.example/',
      ])
        assert.equal(await statusOf(address, basic(token)), 401, address);
      for (const address of [`${appOrigin}/`, `${otherOrigin}/`, `${own}/`])
        assert.equal(await statusOf(address, bearer), 401, address);
      for (const credential of [bearer, basic(token), { cookie: `__Host-session=${token}; __Host-janua=${token}` }])
        for (const path of ['/api/me', '/api/account', '/api/account/tokens', '/api/admin/users'])
          assert.equal((await get(path, credential)).statusCode, 401, path);
      assert.equal((await post('/api/login', { username: ann.username, password: token })).statusCode, 400);
    });

    test('are the only passwords that Basic takes', async () => {
      await using opened = await open(stores);
      const { make, statusOf, logIn } = opened;
      const { bearer } = await logIn();
      const { token: personal } = await make({ host: undefined });
      const { token: ofOther } = await make({ host: otherOrigin });
      for (const [about, secret] of Object.entries({
        password,
        session: bearer.authorization.slice('Bearer '.length),
        personal,
        ofOther,
        empty: '',
      }))
        assert.equal(await statusOf(`${appOrigin}/`, basic(secret)), 401, about);
      assert.equal(await statusOf(`${otherOrigin}/`, basic(ofOther)), 200);
      const encoded = basic((await make()).token).authorization.slice('Basic '.length);
      for (const authorization of [
        'Basic',
        'Basic ',
        'Basic Og==',
        'Basic ?',
        `Digest ${encoded}`,
        `Basic\t${encoded}`,
      ])
        assert.equal(await statusOf(`${appOrigin}/`, { authorization }), 401, authorization);
      assert.equal(await statusOf(`${appOrigin}/`, { authorization: `bASIC  ${encoded}` }), 200);
    });

    test('end with a reset, with the factors, disabling, the account, and when they are ended', async () => {
      await using opened = await open(stores);
      const { make, statusOf, services, people, post, logIn, account } = opened;
      const isIn = async ({ token }: { token: string }) => (await statusOf(`${appOrigin}/`, basic(token))) === 200;
      const { user } = await account();
      const ended: Readonly<Record<string, (made: { id: string }) => Promise<unknown>>> = {
        page: async ({ id }) => post('/api/account/tokens/end', { id }, (await logIn()).bearer),
        factors: async () => {
          await insertSample(services.database, 'janua_totp', { id: `active:${user.id}`, user_id: user.id });
          await services.manageFactors.removeAll(user, { caller: { route: 'a test' } });
        },
        everything: async () =>
          post(
            '/api/account/sessions/end-others',
            { end_tokens: 'on', current_password: password },
            (await logIn()).bearer,
          ),
        disabled: () => people.disable(ann.username),
        removed: () => people.remove(ann.username),
      };
      for (const [about, end] of Object.entries(ended)) {
        const made = await make();
        assert.ok(await isIn(made), about);
        await end(made);
        assert.ok(!(await isIn(made)), about);
        if (about === 'disabled') await people.enable(ann.username);
      }
    });

    test('a thousand wrong ones keep no owner out, neither of the host nor of the login', async () => {
      await using opened = await open(stores);
      const { make, ask, statusOf, post, services, events: read } = opened;
      const { token } = await make();
      const { token: ofOther } = await make({ host: otherOrigin });
      const seen = new Map<number, number>();
      for (let round = 0; round < 1000; round++) {
        // Every tenth one reaches the look-up.
        const { statusCode } = await ask(`${appOrigin}/`, basic(round % 10 === 0 ? ofOther : `wrong-${round}`));
        seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1);
      }
      assert.deepEqual([...seen.keys()].sort(), [401, 429]);
      for (const from of ['192.0.2.7', '198.51.100.1'])
        assert.equal(await statusOf(`${appOrigin}/`, basic(token), from), 200, from);
      assert.equal(await statusOf(`${appOrigin}/`, basic('wrong'), '198.51.100.1'), 401, 'counted by address');
      const refused = await ask(`${appOrigin}/`, basic('wrong', 'other@example.com'));
      assert.equal(refused.statusCode, 401, 'the pair waits before the address');
      assert.equal((await ask(`${appOrigin}/`, basic('wrong'))).headers['retry-after'], '60');
      const from = { 'x-forwarded-for': '192.0.2.7' };
      assert.equal((await post('/api/login', { username: ann.username, password }, from, '127.0.0.1')).statusCode, 200);
      const { keys } = await services.throttled.listPage();
      const kindsOf = keys.map(({ kind, address }) => `${kind} ${address}`).sort();
      assert.deepEqual(kindsOf, [
        'token-address 192.0.2.7',
        'token-address 198.51.100.1',
        'token-pair 192.0.2.7',
        'token-pair 192.0.2.7',
        'token-pair 198.51.100.1',
      ]);
      const actor = { caller: { route: 'a test' } };
      assert.equal(await services.throttled.lift({ address: '192.0.2.7' }, actor), 3);
      assert.equal(await services.throttled.lift({ username: ann.username }, actor), 1);
      assert.equal(await statusOf(`${appOrigin}/`, basic('wrong')), 401);
      const kinds = (await read()).filter(({ kind }) => kind === 'access-refused');
      assert.ok(kinds.every(({ reason }) => reason === 'invalid-host-token'));
    });
  });
}

describe('HTTP Basic behind the proxy', () => {
  test('is asked for without Sec-Fetch headers and our cookie, where a rule takes it', async () => {
    await using opened = await open();
    const { ask } = opened;
    for (const [address, headers, expected] of [
      [`${appOrigin}/`, {}, challenge],
      [`${appOrigin}/`, { accept: '*/*', 'user-agent': 'curl/8' }, challenge],
      [`${appOrigin}/`, basic('wrong'), challenge],
      [`${appOrigin}/`, { ...basic('wrong'), accept: 'text/html' }, challenge],
      [`${appOrigin}/`, { 'sec-fetch-mode': 'cors' }, 'Bearer realm="janua"'],
      [
        `${appOrigin}/`,
        { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'no-cors', ...basic('wrong') },
        'Bearer realm="janua"',
      ],
      [`${appOrigin}/`, { cookie: '__Host-janua=x' }, 'Bearer realm="janua"'],
      [`${appOrigin}/`, { authorization: 'Bearer x' }, 'Bearer realm="janua", error="invalid_token"'],
      [`${appOrigin}/closed`, {}, 'Bearer realm="janua"'],
      [`${unruled}/`, {}, 'Bearer realm="janua"'],
      ['https://evil.example/', {}, 'Bearer realm="janua"'],
      [`${own}/`, {}, 'Bearer realm="janua"'],
    ] as const) {
      const answer = await ask(address, headers);
      assert.equal(answer.statusCode, 401, `${address} ${JSON.stringify(headers)}`);
      assert.equal(answer.headers['www-authenticate'], expected, `${address} ${JSON.stringify(headers)}`);
    }
    assert.equal((await ask(`${appOrigin}/`, { accept: 'text/html' })).statusCode, 303);
    assert.equal((await ask(`${appOrigin}/`, { ...navigating, ...basic('x') })).statusCode, 303);
  });

  test('is ignored if it comes from a browser, whose cookie decides', async () => {
    await using opened = await open();
    const { make, ask, statusOf } = opened;
    const { token } = await make();
    const browser = createForwardBrowser(opened);
    await signInAt(browser, `${appOrigin}/`);
    const cookie = `__Host-janua=${browser.sites.get(appOrigin)?.jar['__Host-janua']}`;
    assert.equal(await statusOf(`${appOrigin}/`, { cookie, ...basic('wrong') }), 200);
    for (const header of ['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-user'])
      assert.equal(await statusOf(`${appOrigin}/`, { [header]: 'x', ...basic(token) }), 401, header);
    assert.equal(await statusOf(`${appOrigin}/`, { cookie: '__Host-janua=dead', ...basic(token) }), 401);
    assert.equal((await ask(`${appOrigin}/?janua-ticket=x`, basic(token))).statusCode, 401);
  });

  test('needs a group of the rule, now, and `basic` in each rule that may decide', async () => {
    await using opened = await open();
    const { make, ask, statusOf, services } = opened;
    const { token } = await make();
    assert.equal(await statusOf(`${appOrigin}/x`, basic(token)), 200);
    await services.administration.changeGroups(ann.username, { remove: ['staff'] });
    const barred = await ask(`${appOrigin}/x`, basic(token));
    assert.deepEqual([barred.statusCode, barred.json().detail], [403, 'None of your groups may open this']);
    await services.administration.changeGroups(ann.username, { add: ['staff'] });
    assert.equal(await statusOf(`${appOrigin}/x`, basic(token)), 200);
    for (const path of ['/closed', '/CLOSED/x', '/closed.ics', '/x//y', '/%2e%2e/x'])
      assert.equal(await statusOf(appOrigin + path, basic(token)), 401, path);
  });

  test('ends with the rule, whose token then opens nothing', async () => {
    await using first = await open();
    const { token } = await first.make();
    for (const [rules, status] of [
      [[`${appOrigin}=staff`], 401],
      [[], 401],
      [[`${appOrigin}=staff|basic`], 200],
    ] as const) {
      const settings = { ...forwardSettings, FORWARD_AUTH_RULES: [...rules], DATABASE_URL: first.databaseUrl };
      await using again = await startJanua({ settings, time: first.now(), isFilled: true });
      const headers = { ...forwarded(`${appOrigin}/`), ...basic(token) };
      assert.equal((await again.get('/auth/verify', headers, '127.0.0.1')).statusCode, status, String(rules));
    }
  });

  test('leaves the answer at /auth/refused as it is, and counts a wrong token once', async () => {
    await using opened = await open();
    const { make, get, services } = opened;
    const { token } = await make();
    const asked = (secret: string) =>
      get('/auth/refused', { ...forwarded(`${appOrigin}/`), ...basic(secret) }, '127.0.0.1');
    const refused = await asked('wrong');
    assert.deepEqual([refused.statusCode, refused.headers['www-authenticate']], [401, challenge]);
    assert.deepEqual((await services.throttled.listPage()).keys, []);
    assert.equal((await asked(token)).statusCode, 401);
  });

  test('is explained: the token, the host, and why Basic was ignored', async () => {
    await using opened = await open();
    const { ask, make, events: read } = opened;
    await ask(`${appOrigin}/`, basic('wrong'));
    await ask(`${appOrigin}/closed`, basic('wrong'));
    await ask(`${appOrigin}/`, { 'sec-fetch-mode': 'cors', ...basic('wrong') });
    await ask(`${appOrigin}/`, { cookie: '__Host-janua=x', ...basic('wrong') });
    await make();
    const recorded = await read();
    assert.deepEqual(
      recorded.filter(({ kind }) => kind === 'access-refused').map(({ reason, about }) => [reason, about]),
      [
        ['invalid-host-token', appOrigin],
        ['basic-not-taken', appOrigin],
        ['basic-not-taken', appOrigin],
        ['dead-cookie', undefined],
      ],
    );
    assert.equal(recorded.find(({ kind }) => kind === 'token-made')?.about, appOrigin);
    const [first] = recorded.filter(({ kind }) => kind === 'access-refused');
    assert.ok(first);
    assert.match(JSON.stringify(explain(first, events)), /is no token for that host.*\/account\/tokens/);
  });
});

describe('a token for an app at a host', () => {
  test('is offered where a rule of a group takes it, and refused with a scope or for another host', async () => {
    await using opened = await open();
    const { make, post, get, logIn, services, account } = opened;
    const session = (await logIn()).bearer;
    for (const [fields, errors] of [
      [{ host: unruled }, { host: 'No app at this address takes a token of yours' }],
      [{ host: `${appOrigin}/` }, { host: 'No app at this address takes a token of yours' }],
      [{ host: 'x' }, { host: 'No app at this address takes a token of yours' }],
      [{ host: appOrigin, scope: 'reports:read' }, { scope: 'A token for an app has no permissions. Choose none' }],
    ] as const) {
      const all = { name: 'x', expires_in_days: 1, ...fields };
      const refused = await post('/api/account/tokens', all, session);
      assert.equal(refused.statusCode, 422, JSON.stringify(fields));
      const [[field, detail] = []] = Object.entries(errors);
      assert.deepEqual(refused.json().errors, [{ field, detail }]);
    }
    assert.deepEqual((await get('/api/account/tokens', session)).json(), { tokens: [] });
    assert.deepEqual(services.ports.listTokenHosts((await account()).user), [appOrigin, otherOrigin]);
    await services.administration.changeGroups(ann.username, { remove: ['staff'] });
    assert.deepEqual(services.ports.listTokenHosts((await account()).user), []);
    await services.administration.addGroup({ name: 'other', description: '', scopes: [] });
    await services.administration.changeGroups(ann.username, { add: ['other'] });
    assert.equal((await make({ host: otherOrigin })).host, otherOrigin);
  });

  test('is shown with its host to its user, to administrators and in the export', async () => {
    await using opened = await open();
    const { make, get, post, logIn, services, account } = opened;
    const { id, token } = await make();
    await services.administration.changeGroups(ann.username, { add: ['admins'] });
    const session = (await logIn()).bearer;
    const html = { ...session, 'x-expected-format': 'text/html' };
    const { user } = await account();
    for (const [path, tokensOf] of [
      ['/api/account/tokens', (body: { tokens: object[] }) => body.tokens],
      [`/api/admin/users/${user.id}`, (body: { tokens: object[] }) => body.tokens],
      ['/api/account/export', (body: { tokens: object[] }) => body.tokens],
    ] as const) {
      const answer = await get(path, session);
      assert.equal(answer.statusCode, 200, path);
      assert.ok(!answer.body.includes(token));
      assert.deepEqual(
        tokensOf(answer.json()).map((one) => ({ id, host: appOrigin, scope: '', ...one })),
        tokensOf(answer.json()),
      );
      assert.match(answer.body, new RegExp(`"host":"${appOrigin}"`));
    }
    for (const path of ['/account/tokens', `/admin/users/${user.id}`])
      assert.match((await get(path, html)).body, /For an app at app\.example\.com/, path);
    const page = await get('/account/tokens', html);
    assert.match(page.body, /<option value="https:\/\/app\.example\.com">For an app at app\.example\.com<\/option>/);
    const made = await post('/account/tokens', { name: 'DAV', host: appOrigin, expires_in_days: 3 }, html);
    assert.equal(made.statusCode, 201, made.body);
    assert.match(made.body, /Enter it as the password in the program, with the user name ann@example\.com\./);
    const wrong = await post('/account/tokens', { name: 'DAV', host: unruled, expires_in_days: 3 }, html);
    assert.match(wrong.body, /id="host-error">No app at this address takes a token of yours</);
  });
});
