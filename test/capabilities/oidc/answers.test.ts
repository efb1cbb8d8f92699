import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { type Application, openProvider, type ProviderUnderTest, requireAnswer, rowsOf } from './application.ts';
import type { Browser, Place } from './browser.ts';
import { hiddenFields } from './browser.ts';

const lasting = { scope: 'openid offline_access', prompt: 'consent' };

/** An application whose request waits for the decision of its user. */
async function waiting(server: ProviderUnderTest, parameters: Readonly<Record<string, string>> = lasting) {
  const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
  const begun = await app.begin(parameters);
  const page = await browser.open(begun.address);
  assert.match(page.url.pathname, /^\/oidc\/interaction\//);
  return { app, browser, begun, page };
}

/** Sends a request as the browser would, and follows nothing. */
const send = (server: ProviderUnderTest, browser: Browser, path: string, fields?: Readonly<Record<string, string>>) =>
  fetch(new URL(path, server.origin), {
    redirect: 'manual',
    ...(fields && { method: 'POST', body: new URLSearchParams(fields) }),
    headers: { cookie: browser.cookieHeader(new URL(path, server.origin).pathname), 'sec-fetch-site': 'same-origin' },
  });

const times = <Result>(count: number, work: () => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: count }, work));

/** The grants of an application. */
async function grantsOf(server: ProviderUnderTest, { clientId }: Pick<Application, 'clientId'>) {
  const rows = (await rowsOf(server, 'janua_oidc_records')) as {
    model: string;
    client_id: string;
    expires_at: unknown;
  }[];
  return rows.filter(({ model, client_id }) => model === 'Grant' && client_id === clientId);
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] as const satisfies StoreChoice[])
  describe(`users in ${stores.users}, sessions in ${stores.sessions}: of answers at the same time`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    let server: ProviderUnderTest;
    before(async () => {
      server = await openProvider({ stores });
    });
    after(() => server[Symbol.asyncDispose]());

    test('one counts, and gives one grant and one code', async () => {
      const { app, browser, page } = await waiting(server);
      const fields = { ...hiddenFields(page.text), decision: 'allow' };
      const answers = await times(12, () => send(server, browser, page.url.pathname, fields));
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [303, ...Array(11).fill(400)]);
      const to = answers.find(({ status }) => status === 303)?.headers.get('location') ?? '';
      const resumed = await times(12, () => send(server, browser, to));
      const texts = await Promise.all(resumed.map((answer) => answer.text()));
      const codes = resumed.flatMap(({ headers }, index) =>
        [headers.get('location'), headers.get('refresh'), texts[index]]
          .filter((text) => /[?&]code=/.test(text ?? ''))
          .slice(0, 1),
      );
      assert.equal(codes.length, 1);
      assert.equal((await grantsOf(server, app)).length, 1);
    });

    test('one to a device counts, and gives one grant', async () => {
      const app = await server.addApplication({ own: false, isPublic: true, device: true });
      const browser = await server.browser();
      const device = await openid.initiateDeviceAuthorization(app.config, { scope: 'openid' });
      const fields = { user_code: device.user_code, decision: 'allow' };
      const answers = await times(8, () => send(server, browser, '/oidc/device', fields));
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [303, ...Array(7).fill(404)]);
      assert.equal((await grantsOf(server, app)).length, 1);
    });
  });

describe('an answer', () => {
  let server: ProviderUnderTest;
  before(async () => {
    server = await openProvider({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
  });
  after(() => server[Symbol.asyncDispose]());

  async function run(statement: ReturnType<typeof sql>): Promise<void> {
    await using opened = await openTestDatabase(server.janua.databaseUrl);
    await statement.execute(opened.database);
  }

  test('leaves no grant if the consent cannot be stored', async () => {
    const { app, browser, page } = await waiting(server);
    await run(sql`alter table janua_consents rename to gone`);
    const { status } = await browser.submit(page.url, { decision: 'allow' });
    await run(sql`alter table gone rename to janua_consents`);
    assert.equal(status, 500);
    assert.deepEqual(await grantsOf(server, app), []);
  });

  test('leaves a grant of a minute at most if the code cannot be stored', async () => {
    const { app, browser, page } = await waiting(server);
    const trigger = sql`create trigger fault before insert on janua_oidc_records when new.model = 'AuthorizationCode'
      begin select raise(abort, 'a fault'); end`;
    await run(trigger);
    const { status } = await browser.submit(page.url, { decision: 'allow' });
    await run(sql`drop trigger fault`);
    assert.equal(status, 500);
    for (const { expires_at: end } of await grantsOf(server, app)) assert.ok(Number(end) <= Date.now() + 60_000);
  });

  const changes: Readonly<Record<string, object>> = {
    'another address': { redirectUris: ['https://app.example.com/callback', 'https://elsewhere.example/callback'] },
    'another name': { name: 'Bank' },
  };
  for (const [name, change] of Object.entries(changes))
    test(`does not count for an application that got ${name} after its page was shown`, async () => {
      const { app, browser, begun, page } = await waiting(server, {});
      await server.janua.services.clientAdministration.changeClient(app.clientId, change);
      const again = await browser.submit(page.url, { decision: 'allow' });
      assert.deepEqual([again.isElsewhere, again.status, again.url.pathname], [false, 200, page.url.pathname]);
      const other = await browser.open((await app.begin()).address);
      assert.match(other.url.pathname, /^\/oidc\/interaction\//);
      // The page shows the change, and so the next answer counts.
      await app.finish(begun, requireAnswer(await browser.submit(page.url, { decision: 'allow' })));
    });

  test('does not count without a page', async () => {
    const { browser, page } = await waiting(server, {});
    const answer: Place = await browser.submit(page.url, { decision: 'allow', shown: '' });
    assert.deepEqual([answer.isElsewhere, answer.url.pathname], [false, page.url.pathname]);
  });
});

/** Requests that no user has made: those of browsers before their user opens a page, and those of programs that only look. */
const looks: readonly (readonly [name: string, init: RequestInit, status: number])[] = [
  ['a prefetch', { headers: { 'sec-purpose': 'prefetch' } }, 503],
  ['a prerendering', { headers: { 'sec-purpose': 'prefetch;prerender' } }, 503],
  ['a prefetch of an old browser', { headers: { purpose: 'prefetch' } }, 503],
  ['HEAD', { method: 'HEAD' }, 303],
];

describe('a request that no user has made', () => {
  let server: ProviderUnderTest;
  before(async () => {
    server = await openProvider({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [name, init, status] of looks)
    test(`gives no code and no grant, and then the user signs in: ${name}`, async () => {
      const look = (browser: Browser, address: URL) =>
        fetch(address, {
          redirect: 'manual',
          ...init,
          headers: { ...init.headers, cookie: browser.cookieHeader(address.pathname) },
        });
      const own = await server.addApplication();
      const browser = await server.browser();
      const begun = await own.begin();
      const answers = [await look(browser, begun.address)];
      const { app, browser: other, begun: asked, page } = await waiting(server);
      answers.push(await look(other, page.url));
      const fields = { ...hiddenFields(page.text), decision: 'allow' };
      const decided = await send(server, other, page.url.pathname, fields);
      const to = new URL(decided.headers.get('location') ?? '', server.origin);
      answers.push(await look(other, to));
      for (const answer of answers) {
        assert.equal(answer.status, status);
        assert.doesNotMatch(answer.headers.get('location') ?? '', /code=/);
        assert.match(answer.headers.get('cache-control') ?? '', /no-store/);
      }
      assert.deepEqual([...(await grantsOf(server, own)), ...(await grantsOf(server, app))], []);
      assert.ok((await own.finish(begun, requireAnswer(await browser.open(begun.address)))).id_token);
      assert.ok((await app.finish(asked, requireAnswer(await other.open(to)))).id_token);
    });
});
