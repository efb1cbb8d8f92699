import { join } from 'node:path';
import { createRedisLookUp, createSqlLookUp } from '../../../src/core/access/look-up.ts';
import { createRedisSessionStore } from '../../../src/core/sessions/redis-store.ts';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { prepareUnlessEnded } from '../../../src/core/users/account-join.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { openMigrated, openTestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import { connectOnce } from '../../servers/redis.ts';
import { createRedisDatabase } from '../../servers/shared.ts';
import { openUserDatabase } from '../../stores.ts';
import { openOwnAccounts } from '../users/directories.ts';
import { holdIn } from '../users/held.ts';
import { testLookUp } from './look-up-contract.ts';

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  testLookUp(
    `In one statement on ${engine}`,
    async (options) => {
      await using stack = new AsyncDisposableStack();
      let url: string;
      if (engine === 'SQLite') {
        // Another process can open the database only if it is a file.
        const folder = createTemporaryFolder('look-up');
        stack.defer(() => folder.remove());
        url = `sqlite:${join(folder.path, 'janua.db')}`;
      } else {
        const own = await openUserDatabase(engine);
        stack.defer(own.drop);
        url = own.url;
      }
      const opened = stack.use(await openTestDatabase(url));
      await migrate(opened);
      const closing = stack.move();
      const users = openOwnAccounts(opened, options);
      return {
        lookUp: createSqlLookUp(opened, users.accounts),
        sessions: createSqlSessionStore(opened),
        users,
        hold: holdIn(opened.database, users, users),
        sessionsElsewhere: createSqlSessionStore(closing.use(await openTestDatabase(url))),
        async insertFormer({ id, userId, stamp, cookieHash, tokenHash, createdAt, lastSeenAt, expiresAt }) {
          const owner = { id, user_id: userId, password_fingerprint: stamp };
          const times = { created_at: createdAt, last_seen_at: lastSeenAt, expires_at: expiresAt };
          await opened.database
            .insertInto('janua_sessions')
            .values({ ...owner, ...times, cookie_hash: cookieHash, token_hash: tokenHash })
            .execute();
        },
        [Symbol.asyncDispose]: () => closing.disposeAsync(),
      };
    },
    missing(engine),
  );

testLookUp(
  'In Redis, then in SQLite',
  async (options) => {
    await using stack = new AsyncDisposableStack();
    const { url, drop } = await createRedisDatabase();
    stack.defer(drop);
    const redis = [openRedis(url, 3000, unwatched), openRedis(url, 3000, unwatched)] as const;
    for (const each of redis) stack.defer(() => each.close());
    const opened = stack.use(await openMigrated());
    const users = openOwnAccounts(opened, options);
    const sessions = createRedisSessionStore(redis[0]);
    const closing = stack.move();
    return {
      lookUp: createRedisLookUp(sessions, prepareUnlessEnded(opened, users.accounts)),
      sessions,
      users,
      hold: holdIn(opened.database, users, users),
      sessionsElsewhere: createRedisSessionStore(redis[1]),
      async insertFormer({ id, userId, stamp, cookieHash, tokenHash, createdAt, lastSeenAt, expiresAt }) {
        const client = connectOnce(url);
        const owner = { user: userId, fingerprint: stamp, cookie: cookieHash, token: tokenHash };
        const times = { created: createdAt, seen: lastSeenAt, expires: expiresAt };
        await client.hset(`janua:session:${id}`, { ...owner, ...times });
        client.disconnect();
      },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
  },
  missing('Redis'),
);
