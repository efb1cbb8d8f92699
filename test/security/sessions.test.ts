import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { sql } from '../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { startJanua, type TestOptions } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { connectOnce } from '../servers/redis.ts';
import { createRedisDatabase } from '../servers/shared.ts';
import { json, logoutFaces, meFaces } from '../web/faces.ts';

/** By the names in Redis. */
type Spoiled = Partial<Record<'created' | 'seen' | 'expires' | 'cookie' | 'token', string>>;

const columns = {
  created: 'created_at',
  seen: 'last_seen_at',
  expires: 'expires_at',
  cookie: 'cookie_hash',
  token: 'token_hash',
} as const satisfies Record<keyof Spoiled, string>;

/** The session stores, with functions that count sessions from outside and that corrupt them. */
const stores = {
  async SQLite() {
    const folder = createTemporaryFolder('sessions');
    const url = `sqlite:${join(folder.path, 'janua.db')}`;
    const use = async <T>(work: (database: Awaited<ReturnType<typeof openTestDatabase>>['database']) => Promise<T>) => {
      await using opened = await openTestDatabase(url);
      return await work(opened.database);
    };
    return {
      settings: { DATABASE_URL: url },
      count: () =>
        use(async (database) => {
          const { rows } = await sql<{ count: number }>`select count(*) as count from janua_sessions`.execute(database);
          return Number(rows[0]?.count);
        }),
      spoil: (values: Spoiled) =>
        use(async (database) => {
          for (const [name, value] of Object.entries(values))
            await sql`update janua_sessions set ${sql.ref(columns[name as keyof Spoiled])} = ${value}`.execute(
              database,
            );
        }),
      drop: async () => folder.remove(),
    };
  },
  async Redis() {
    const { url, drop } = await createRedisDatabase();
    const redis = connectOnce(url);
    const keys = () => redis.keys('janua:session:*');
    return {
      settings: { DATABASE_URL: 'sqlite::memory:', REDIS_URL: url },
      count: async () => (await keys()).length,
      async spoil(values: Spoiled) {
        for (const key of await keys()) await redis.hset(key, values);
      },
      async drop() {
        redis.disconnect();
        await drop();
      },
    };
  },
};

type Store = Awaited<ReturnType<(typeof stores)[keyof typeof stores]>>;

/** Closes both even if a test fails, because an open connection would keep the run from ending. */
async function serveOn(store: Store, { settings, overrides = {} }: TestOptions = {}) {
  const janua = await startJanua({ settings: { ...store.settings, ...settings }, overrides });
  return {
    store,
    janua,
    async [Symbol.asyncDispose]() {
      await janua[Symbol.asyncDispose]();
      await store.drop();
    },
  };
}

for (const [name, open] of Object.entries(stores)) {
  describe(`sessions in ${name}`, { skip: name === 'Redis' && missing(name) }, () => {
    test('a thousand requests without a valid credential create no session', async () => {
      await using served = await serveOn(await open());
      const { store, janua } = served;
      const requests = [...meFaces, ...logoutFaces].map(({ request }) => request);
      const others = ['/', '/auth/login', '/auth/home', '/docs', '/health/ready'].map((url) => ({ url }));
      const all = [...requests, ...others];
      for (let number = 0; number < 1000; number++) {
        const planted = { cookie: `session=${String(number).padStart(22, 'A')}.${'A'.repeat(43)}` };
        const request = all[number % all.length];
        const headers = {
          ...(request !== undefined && 'headers' in request ? request.headers : {}),
          ...(number % 2 ? planted : {}),
        };
        await janua.app.inject({ ...request, headers });
      }
      assert.equal(await store.count(), 0);
      await janua.logIn();
      assert.equal(await store.count(), 1, 'only a login starts a session');
    });

    test('a corrupt session record counts as no session, and causes no error', async () => {
      await using served = await serveOn(await open());
      const { store, janua } = served;
      const broken: Spoiled[] = [
        { created: 'soon' },
        { seen: 'soon' },
        { created: 'soon', seen: 'soon', expires: 'soon' },
        { cookie: '__proto__', token: '' },
      ];
      for (const values of broken) {
        const { cookie, bearer } = await janua.logIn();
        await store.spoil(values);
        // A write to a SQLite file by another connection is visible in the next turn of the event loop.
        await setImmediate();
        for (const headers of [cookie, bearer])
          assert.equal(await janua.isSignedIn(headers), false, JSON.stringify(values));
      }
    });

    test('a cookie with the id of a living session alone sees and ends no session', async () => {
      await using served = await serveOn(await open());
      const { app, logIn, isSignedIn } = served.janua;
      const [victim, other] = [await logIn(), await logIn()];
      const idOf = ({ cookie }: typeof victim) => cookie.cookie.replace('session=', '').split('.')[0] ?? '';
      const guessed = { cookie: `session=${idOf(victim)}.${'A'.repeat(43)}` };
      for (const [method, url] of [
        ['GET', '/api/account/sessions'],
        ['POST', '/api/account/sessions/end'],
        ['POST', '/api/account/sessions/end-others'],
        ['POST', '/api/logout'],
      ] as const) {
        const sent = method === 'POST' ? json({ id: idOf(other) }) : { headers: {} };
        const answer = await app.inject({ method, url, ...sent, headers: { ...sent.headers, ...guessed } });
        assert.equal(answer.statusCode, 401, url);
      }
      for (const { cookie } of [victim, other]) assert.ok(await isSignedIn(cookie));
    });

    for (const [what, step, steps] of [
      ['idle for its timeout', 600_000, 1],
      ['used until its lifetime is over', 59_000, 61],
    ] as const) {
      test(`a session that was ${what} is dead on every path, by cookie and by token`, async () => {
        await using served = await serveOn(await open(), {
          settings: { SESSION_IDLE_SECONDS: 600, SESSION_LIFETIME_SECONDS: 3599 },
          time: Date.now(),
        });
        const { janua } = served;
        for (const by of ['cookie', 'bearer'] as const) {
          const signedIn = await janua.logIn();
          for (let time = 0; time < steps; time++) {
            assert.ok(await janua.isSignedIn(signedIn[by]), `${by} after ${time} steps`);
            janua.pass(step);
          }
          for (const face of meFaces) {
            const headers = { ...face.request.headers, ...signedIn[by] };
            const answer = await janua.app.inject({ ...face.request, headers });
            assert.equal(answer.statusCode, face.format === 'html' ? 303 : 401, face.name);
          }
        }
      });
    }
  });
}
