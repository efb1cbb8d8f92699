import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import { type Answer, cookieOf, createAsk, createRandom, logIn, redirectUri } from '../../clusters/clients.ts';
import { Journal } from '../../clusters/journal.ts';
import { createWorkplace, type Running } from '../../commands/janua-command.ts';
import { startScriptedSmtp } from '../../core/mail/scripted-smtp.ts';
import { isLong } from '../../long.ts';
import { missing } from '../../servers/missing.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { createTemporaryFolder, fastFolder } from '../../servers/process-end.ts';
import { startRedis } from '../../servers/redis.ts';
import { createChanges, oldPassword } from './changes.ts';

/** `KILLED_SEED` (a whole number) selects the moments, `KILLED_TIMES` how often the server is killed. */
const seed = Number(process.env.KILLED_SEED ?? randomInt(1_000_000));
const kills = Number(process.env.KILLED_TIMES ?? (isLong ? 10 : 5));

/** A kill comes after so many lines of the log about the requests under way, and so many milliseconds, at most. */
const burst = { lines: 80, milliseconds: 8 };

/** Milliseconds within which a mail arrives, and the milliseconds of a whole round. */
const mailPatience = 60_000;
const roundPatience = 120_000;

/** More accounts than the changes of a round take. */
const accountsOfRound = 24;

const administratorName = 'admin@example.com';

interface Stores extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly losesSessions: boolean;
  execute(statement: string): Promise<readonly object[]>;
  /** Notes what is on the disk. */
  noteDisk(): void;
  /** Restarts what lost its memory together with the server. */
  crash(random: (limit: number) => number): Promise<void>;
}

function openSqlite(file: string): Stores {
  return {
    env: {},
    losesSessions: false,
    async execute(statement) {
      using database = new DatabaseSync(file);
      return database.prepare(statement).all();
    },
    noteDisk() {},
    async crash() {},
    async [Symbol.asyncDispose]() {},
  };
}

/** Redis loses power with the server: a part of what it wrote since the requests began, or all of it, is gone from its log. */
async function startServers(workplace: string): Promise<Stores> {
  await using closing = new AsyncDisposableStack();
  const folder = createTemporaryFolder('redis-log', fastFolder());
  closing.defer(folder.remove);
  const postgres = closing.use(await startPostgres({ durable: true }));
  const args = ['--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0'];
  const redis = closing.use(await startRedis({ durable: true, folder: folder.path, args }));
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  closing.defer(() => client.end());
  const logs = join(folder.path, 'appendonlydir');
  const log = join(logs, readdirSync(logs).find((name) => name.endsWith('.incr.aof')) ?? '');
  let kept = 0;
  const servers = closing.move();
  return {
    env: { DATABASE_URL: postgres.url, REDIS_URL: redis.url, ENCRYPTION_KEY_FILE: join(workplace, 'key') },
    losesSessions: true,
    execute: async (statement) => (await client.query(statement)).rows,
    noteDisk() {
      kept = statSync(log).size;
    },
    async crash(random) {
      await redis.kill();
      truncateSync(log, kept + random(2) * random(statSync(log).size - kept + 1));
      await redis.start();
    },
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

const engines = [
  { name: 'SQLite', skip: false, start: async (folder: string) => openSqlite(join(folder, 'data/janua.db')) },
  {
    name: 'PostgreSQL and Redis',
    skip: missing('PostgreSQL', 'Redis') || (!isLong && 'only in a long run'),
    start: startServers,
  },
];

for (const { name, skip, start: startStores } of engines)
  test(`on ${name}, a server that is killed keeps all that it acknowledged, and leaves nothing half done (KILLED_SEED=${seed})`, {
    skip,
    timeout: kills * roundPatience,
  }, async (t) => {
    await using workplace = await createWorkplace();
    await using stores = await startStores(workplace.folder);
    await using smtp = await startScriptedSmtp();
    const env = {
      ...{ PUBLIC_URL: 'http://localhost:8000', MAIL_URL: `smtp://127.0.0.1:${smtp.port}` },
      ...{
        MAIL_FROM: 'no-reply@example.com',
        SIGN_UP: 'on',
        THROTTLE: 'off',
        LOGIN_NOTICES: 'off',
        LOG_LEVEL: 'debug',
      },
      ...stores.env,
    };
    const random = createRandom(String(seed));
    const journal = new Journal();
    const clientId = await populate();
    const urls: string[] = [];
    let server: Running | undefined;
    let administrating: Promise<string> | undefined;
    const taken = { account: 0, newcomer: 0 };

    async function populate(): Promise<string> {
      async function run(args: readonly string[], input = ''): Promise<string> {
        const { code, stdout, stderr } = await workplace.run(args, { env, input });
        assert.equal(code, 0, stderr);
        return stdout;
      }
      await run(['migrate']);
      const names = ['--first-name', 'A', '--last-name', 'B'];
      await run(['users', 'add', administratorName, ...names, '--group', 'admins'], oldPassword);
      const { password_hash } = JSON.parse(await run(['users', 'export', '--with-hashes', '--json']));
      const rows = Array.from({ length: kills * accountsOfRound }, (_, index) =>
        JSON.stringify({
          username: addressOf('account', index + 1),
          first_name: 'A',
          last_name: 'B',
          groups: [],
          password_hash,
        }),
      );
      await run(['users', 'import', '-'], rows.join('\n'));
      await run(['groups', 'add', 'staff']);
      const uri = ['--redirect-uri', redirectUri];
      return JSON.parse(await run(['clients', 'add', '--name', 'App', ...uri, '--own', '--public', '--json']))
        .client_id;
    }

    async function start(): Promise<void> {
      server = await workplace.start(['serve'], env, roundPatience);
      urls[0] = server.url;
      administrating = undefined;
      server.process.stdout.resume();
    }

    /** Resolves when the server has logged so many more lines. */
    async function lines(count: number): Promise<void> {
      const { stdout } = server?.process ?? assert.fail('no server runs');
      for (let seen = 0; seen < count; ) seen += String(await once(stdout, 'data')).split('\n').length - 1;
    }

    const ask = createAsk(urls, random, journal);

    /** A busy server may refuse some requests of many at a time. */
    async function insist(...how: Parameters<typeof ask>): Promise<Answer> {
      for (let tries = 0; tries < 200; tries += 1) {
        const answer = await ask(...how);
        if (answer !== undefined) return answer;
        await setTimeout(50);
      }
      return assert.fail(`${how[0]} gets no answer`);
    }

    async function logInAdministrator(): Promise<string> {
      const answer = await logIn(insist, { username: administratorName, password: oldPassword });
      return cookieOf(answer) ?? assert.fail('the administrator cannot log in');
    }

    /** One session for each start of the server. */
    function administrator(): Promise<string> {
      administrating ??= logInAdministrator();
      return administrating;
    }

    function nextAddress(kind: 'account' | 'newcomer'): string {
      taken[kind] += 1;
      return addressOf(kind, taken[kind]);
    }

    const changes = createChanges({
      ask,
      insist,
      clientId,
      administrator,
      nextAccount: () => nextAddress('account'),
      nextAddress: () => nextAddress('newcomer'),
      losesSessions: stores.losesSessions,
      async receive(address, subject) {
        for (const signal = AbortSignal.timeout(mailPatience); ; ) {
          const mail = smtp.received.findLast(
            ({ to, data }) => to[0] === address && data.includes(`Subject: ${subject}\n`),
          );
          if (mail) return /token=(?:3D)?([\w-]{43})/.exec(mail.data.replaceAll('=\n', ''))?.[1] ?? '';
          await smtp.waitFor(smtp.received.length + 1, signal);
        }
      },
    });

    async function expectEvent(event: Record<string, string>): Promise<void> {
      const path = `/api/admin/audit?${new URLSearchParams(event)}`;
      const { body } = await insist(path, { cookie: await administrator() });
      assert.ok((body.events as readonly object[]).length > 0, 'the audit has no event of it');
    }

    let acknowledged = 0;
    await start();
    for (let round = 1; round <= kills; round += 1) {
      const order = Object.entries(changes).map(([name, prepare]) => ({ name, prepare, place: random(1000) }));
      const prepared = await Promise.all(
        order
          .toSorted((one, other) => one.place - other.place)
          .map(async ({ name, prepare }) => ({ name, change: await prepare() })),
      );
      stores.noteDisk();
      const reached = lines(random(burst.lines)).then(() => setTimeout(random(burst.milliseconds)));
      const sending = Promise.all(
        prepared.map(async ({ name, change }) => ({ name, change, answer: await change.send() })),
      );
      await Promise.race([reached, sending]);
      await server?.stop('SIGKILL');
      const sent = await sending;
      await stores.crash(random);
      // A dead process loses its lease within 12 seconds, as test/core/mail/takeover.test.ts shows. Here no one waits for that.
      await stores.execute('update janua_leases set expires_at = 0');
      await start();
      await Promise.all(
        sent.map(async ({ name, change, answer }) => {
          const outcome = answer === undefined ? 'without an answer' : 'acknowledged';
          try {
            if (answer !== undefined) assert.equal(answer.status, change.status, JSON.stringify(answer.body));
            if (answer !== undefined && change.event !== undefined) await expectEvent(change.event);
            await change.check(answer);
          } catch (cause) {
            throw new Error(`${name}, ${outcome}, in round ${round} of KILLED_SEED=${seed}`, { cause });
          }
        }),
      );
      acknowledged += sent.filter(({ answer }) => answer !== undefined).length;
    }
    await server?.stop();
    t.diagnostic(`${kills} kills, ${acknowledged} of ${kills * Object.keys(changes).length} changes acknowledged`);

    const left = await stores.execute('select id from janua_mails where due_at is not null');
    const half = await stores.execute(
      "select username from janua_users where stamp is null or password = '' or username = ''",
    );
    assert.deepEqual({ left, half }, { left: [], half: [] });
  });

const addressOf = (kind: string, index: number) => `${kind}${index}@example.com`;
