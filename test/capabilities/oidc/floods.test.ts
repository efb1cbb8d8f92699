import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mostWaiting } from '../../../src/capabilities/oidc/sign-in/room-limits.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { password } from '../../janua.ts';
import { isLong } from '../../long.ts';
import { missing } from '../../servers/missing.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import type { StoreChoice } from '../../stores.ts';
import { type Application, openProvider, type ProviderUnderTest, post, requireAnswer, rowsOf } from './application.ts';

/** A hint that makes a request as long as one may be that waits. */
const hint = 'x'.repeat(2000);

/** Bytes that a waiting request may take, with all that the server adds. */
const mostBytes = 8192;

/** A server behind a proxy, so that a test may ask from any address, and what its stores hold. */
async function openFlooded(stores: StoreChoice) {
  await using opened = new AsyncDisposableStack();
  const folder = createTemporaryFolder('flooded');
  opened.defer(() => folder.remove());
  const server = opened.use(
    await openProvider({
      stores,
      settings: {
        TRUSTED_PROXIES: ['127.0.0.1'],
        // A database in memory cannot be read from outside.
        ...(stores.users === 'SQLite' && { DATABASE_URL: `sqlite:${folder.path}/janua.db` }),
      },
    }),
  );
  const kept = opened.move();
  return {
    server,
    /** Everything that waits. */
    async waiting(): Promise<string[]> {
      const rows = (await rowsOf(server, 'janua_oidc_records')) as { model: string }[];
      const waiting = rows.filter(({ model }) => ['Interaction', 'DeviceCode'].includes(model));
      return waiting.map((row) => JSON.stringify(row));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function inTurns(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < count; start += 20)
    await Promise.all(Array.from({ length: Math.min(20, count - start) }, (_, index) => work(start + index)));
}

/** Stores copies of the last device request, because a thousand requests take long. */
async function multiplyDevices({ janua }: ProviderUnderTest, count: number): Promise<void> {
  await using opened = await openTestDatabase(janua.databaseUrl);
  const devices = opened.database.selectFrom('janua_oidc_records').selectAll().where('model', '=', 'DeviceCode');
  const row = await devices.orderBy('created_at', 'desc').executeTakeFirstOrThrow();
  const copies = Array.from({ length: count }, (_, index) => ({
    ...row,
    id: `copy ${index}`,
    lookup: `copy ${index}`,
  }));
  await insertAll(opened.database, 'janua_oidc_records', copies);
}

interface Device {
  readonly device_code: string;
  readonly user_code: string;
}

async function beginDevice(server: ProviderUnderTest, { clientId }: Application, address: string): Promise<Device> {
  const fields = { client_id: clientId, scope: 'openid', login_hint: hint };
  // The length of `User-Agent` is a stranger's choice too.
  const headers = { 'x-forwarded-for': address, 'user-agent': 'x'.repeat(10_000) };
  const answer = await post(server, '/oidc/device-authorization', fields, headers);
  assert.equal(answer.status, 200);
  return (await answer.json()) as Device;
}

/** The user says yes to a device, and it asks for its tokens. */
async function finishDevice(server: ProviderUnderTest, { clientId }: Application, { user_code, device_code }: Device) {
  const browser = await server.browser();
  const { status } = await browser.submit('/oidc/device', { user_code, decision: 'allow' });
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
  const answer = await post(server, '/oidc/token', { grant_type, device_code, client_id: clientId });
  return { status, tokens: (await answer.json()) as { access_token?: string } };
}

const choices = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'SQL' },
] as const satisfies StoreChoice[];
for (const stores of choices.slice(0, isLong ? undefined : 2)) {
  describe(`what waits, in ${stores.users}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('strangers at the authorization endpoint store nothing', async () => {
      await using flooded = await openFlooded(stores);
      const { server, waiting } = flooded;
      const app = await server.addApplication();
      const { address } = await app.begin({ login_hint: hint, prompt: 'login' });
      await inTurns(40, () => fetch(address, { redirect: 'manual' }));
      assert.deepEqual(await waiting(), []);
    });

    test('a flood of device requests takes the place of its own party, and of no other', async () => {
      await using flooded = await openFlooded(stores);
      const { server, waiting } = flooded;
      const app = await server.addApplication({ isPublic: true, device: true, redirectUris: [] });
      const others = ['192.0.2.7', '2001:db8:2::7', '192.0.2.8'];
      const [known, slow, late] = others as [string, string, string];
      const before = [await beginDevice(server, app, known), await beginDevice(server, app, slow)];
      // Each of another /64 in one /48.
      const floodFrom = (index: number) => `2001:db8:1:${index.toString(16)}::1`;
      await inTurns(20, (index) => beginDevice(server, app, floodFrom(index)));
      await multiplyDevices(server, mostWaiting.ofDevices - 40);
      await inTurns(60, (index) => beginDevice(server, app, floodFrom(index + 20)));
      const rows = await waiting();
      // Of several requests at a time, each may make room for all.
      assert.ok(
        rows.length <= mostWaiting.ofDevices && rows.length > mostWaiting.ofDevices - 40,
        `${rows.length} rows`,
      );
      assert.ok(Math.max(...rows.map((row) => row.length)) < mostBytes, 'bytes of the longest row');
      const after = await beginDevice(server, app, late);
      assert.ok((await waiting()).length <= mostWaiting.ofDevices);
      for (const device of [...before, after]) {
        const { status, tokens } = await finishDevice(server, app, device);
        assert.equal(status, 200);
        assert.ok(tokens.access_token);
      }
    });

    test('a user who begins sign-ins without end keeps the last ones', async () => {
      await using flooded = await openFlooded(stores);
      const { server, waiting } = flooded;
      await server.janua.people.add({ username: 'bob@example.com', firstName: 'Bob', lastName: 'Baker', password });
      const app = await server.addApplication({ own: false });
      const [browser, other] = [await server.browser(), await server.browser(false)];
      await other.logIn('bob@example.com', password);
      const pageOf = async (visitor: typeof browser) => {
        const begun = await app.begin({ login_hint: hint });
        return { begun, page: await visitor.open(begun.address) };
      };
      const [ofOther, first] = [await pageOf(other), await pageOf(browser)];
      // One that was finished does not count.
      const finished = await pageOf(browser);
      requireAnswer(await browser.submit(finished.page.url, { decision: 'deny' }));
      let last = await pageOf(browser);
      for (let count = 2; count < mostWaiting.ofUser; count += 1) last = await pageOf(browser);
      assert.equal((await browser.open(first.page.url)).status, 200);
      last = await pageOf(browser);
      assert.equal((await browser.open(first.page.url)).status, 400);
      const rows = await waiting();
      assert.equal(rows.length, mostWaiting.ofUser + 1);
      assert.ok(Math.max(...rows.map((row) => row.length)) < mostBytes, 'bytes of the longest request');
      for (const [visitor, { begun, page }] of [
        [browser, last],
        [other, ofOther],
      ] as const)
        assert.ok(
          (await app.finish(begun, requireAnswer(await visitor.submit(page.url, { decision: 'allow' })))).id_token,
        );
    });
  });
}
