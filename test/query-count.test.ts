import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { mock, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { compose } from '../src/compose.ts';
import type { Settings } from '../src/ground/config/settings.ts';
import { forwarded } from './capabilities/forward-auth/forward-browser.ts';
import { basic, codeFields, openProvider, post, requireAnswer } from './capabilities/oidc/application.ts';
import { ann, startJanua } from './janua.ts';
import { missing } from './servers/missing.ts';
import { connectOnce, startRedis } from './servers/redis.ts';
import type { StoreChoice, UserEngine } from './stores.ts';
import { meFaces } from './web/faces.ts';

// The tests count the real requests to a server, whatever function of the client library sends them: the messages on the
// wire to PostgreSQL and MariaDB, the commands that Redis reports, and the statements that SQLite executes.

/**
 * The allowed cost of a request: one look-up of the session and one of its user, or a single one if both are in one database. A refused
 * request may also write one event of the audit.
 */
const signedIn = { session: 1, user: 1, event: 0 };
const dead = { session: 1, user: 0, event: 1 };
const nothing = { session: 0, user: 0, event: 1 };

/** Milliseconds to wait for late queries of an answered request. */
const aftermath = 10;

const engines: readonly UserEngine[] = ['SQLite', 'PostgreSQL', 'MariaDB'];

for (const users of engines) {
  for (const sessions of ['SQL', 'Redis'] as const) testCounts({ users, sessions });
  testCounts({ users, sessions: 'SQL', ownTable: true });
}

function testCounts(stores: StoreChoice): void {
  const table = stores.ownTable ? "a team's own table in " : '';
  test(`users in ${table}${stores.users}, sessions in ${stores.sessions}: a request makes no more look-ups than needed`, {
    skip: missing(stores.users, stores.sessions),
  }, async () => {
    await using counters = new AsyncDisposableStack();
    const { janua, count } = await startCounted(counters, stores);
    await using _ = janua;
    const ended = await janua.logIn();
    const ann = await janua.logIn();
    await janua.post('/api/logout', undefined, ended.cookie);
    const asked = [
      { who: 'by cookie', headers: ann.cookie, expected: signedIn },
      { who: 'by token', headers: ann.bearer, expected: signedIn },
      { who: 'by both', headers: { ...ann.cookie, ...ann.bearer }, expected: signedIn },
      { who: 'by the cookie of a session that has ended', headers: ended.cookie, expected: dead },
      { who: 'by the token of a session that has ended', headers: ended.bearer, expected: dead },
      { who: 'by a malformed cookie', headers: { cookie: 'session=x' }, expected: nothing },
      { who: 'by nothing', headers: {}, expected: nothing },
    ];
    for (const { name, request } of meFaces) {
      for (const { who, headers, expected } of asked) {
        const before = await count();
        await janua.send(request, headers);
        await setTimeout(aftermath);
        const after = await count();
        const { session, user, event } = expected;
        assert.deepEqual(
          { sql: after.sql - before.sql, redis: after.redis - before.redis },
          stores.sessions === 'Redis' ? { sql: user + event, redis: session } : { sql: session + event, redis: 0 },
          `${name}, ${who}`,
        );
      }
    }
  });
}

/** Starts a server whose requests to its stores are counted. */
async function startCounted(counters: AsyncDisposableStack, stores: StoreChoice, settings: Partial<Settings> = {}) {
  // The client fails if the command of another test is reported together with the start of the reports.
  const alone = stores.sessions === 'Redis' ? counters.use(await startRedis()) : undefined;
  let sql: Counter | undefined;
  let redis: Counter | undefined;
  const janua = await startJanua({
    stores,
    settings: { ...settings, ...(alone && { REDIS_URL: alone.url }) },
    // Between two requests the sender of mail may look into the outbox.
    overrides: { demoMailbox: false },
    async compose(settings, overrides) {
      const counted = await countStatements(stores.users, settings.DATABASE_URL);
      sql = counters.use(counted.counter);
      if (settings.REDIS_URL !== undefined) redis = counters.use(await countCommands(settings.REDIS_URL));
      return compose({ ...settings, DATABASE_URL: counted.url }, overrides);
    },
  });
  return { janua, count: async () => ({ sql: (await sql?.count()) ?? 0, redis: (await redis?.count()) ?? 0 }) };
}

for (const users of engines)
  test(`users in ${users}: an answer to a proxy reads the claims with one statement, and nothing for other sources`, {
    skip: missing(users),
  }, async () => {
    await using counters = new AsyncDisposableStack();
    const further = (origin: string, ...sources: readonly string[]) =>
      sources.map((source, index) => `${origin} Remote-H${index}=${source}`);
    const usual = [
      'https://none.example.com',
      'https://plain.example.com',
      'https://claim.example.com',
      'https://id.example.com',
    ];
    const [none = '', plain = '', claim = '', id = ''] = usual;
    const { janua, count } = await startCounted(
      counters,
      { users, sessions: 'SQL' },
      {
        ...{ PUBLIC_URL: 'https://auth.example.com', TRUSTED_PROXIES: ['127.0.0.1'], FORWARD_AUTH_ORIGINS: usual },
        FORWARD_AUTH_HEADERS: [
          ...further(plain, 'address', 'handle', 'name', 'groups', 'groups:staff', 'constant:x'),
          ...further(claim, 'claim:a', 'claim:b', 'name'),
          ...further(id, 'id'),
        ],
      },
    );
    await using _ = janua;
    const { administration } = janua.services;
    await administration.addGroup({ name: 'staff', description: '', scopes: [] });
    await administration.changeGroups(ann.username, { add: ['staff'] });
    const { bearer } = await janua.logIn();
    const ask = (origin: string) => janua.get('/auth/verify', { ...forwarded(`${origin}/`), ...bearer }, '127.0.0.1');
    // The first request makes the id.
    await ask(id);
    for (const [origin, expected] of [
      [none, 1],
      [plain, 1],
      [claim, 2],
      [id, 2],
    ] as const) {
      const before = await count();
      assert.equal((await ask(origin)).statusCode, 200);
      await setTimeout(aftermath);
      assert.equal((await count()).sql - before.sql, expected, origin);
    }
  });

const ofToken = { janua_clients: 1, janua_sessions: 1, janua_subjects: 1 };

/**
 * The statements that a request of an application needs, by the first table of each. A token request looks again whether the grant is
 * there, after it has written each token. Other requests read a token, its grant, its client and the subject with one statement.
 */
const needed = {
  code: { ...ofToken, janua_oidc_records: 4 },
  // One finds used refresh tokens to remove.
  refresh: { ...ofToken, janua_oidc_records: 5 },
  // The client has to prove itself before its token is read.
  introspection: { janua_clients: 1, janua_sessions: 1, janua_oidc_records: 1 },
  userinfo: { janua_sessions: 1, janua_oidc_records: 1 },
};

test('users in SQLite, sessions in SQL: a request of an application reads the user once', async () => {
  await using provider = await openProvider();
  const app = await provider.addApplication();
  const browser = await provider.browser();
  // The first sign-in makes what later ones find.
  await app.signIn(browser);
  const begun = await app.begin();
  const answer = requireAnswer(await browser.open(begun.address));
  const executed = mock.method(StatementSync.prototype, 'all');
  const reads: Record<string, Record<string, number>> = {};
  async function ask(name: string, path: string, fields: Readonly<Record<string, string>>, headers = basic(app)) {
    executed.mock.resetCalls();
    const answer = await post(provider, path, fields, headers);
    const body = (await answer.json()) as { readonly access_token: string; readonly refresh_token: string };
    const from = executed.mock.calls.map((call) => /\bfrom "(\w+)"/.exec((call.this as StatementSync).sourceSQL)?.[1]);
    const tables = from.filter((table) => /^janua_(?:clients|oidc_records|sessions|subjects|users)$/.test(table ?? ''));
    reads[name] = Object.fromEntries(
      Map.groupBy(tables, String)
        .entries()
        .map(([table, all]) => [table, all.length]),
    );
    return body;
  }
  const first = await ask('code', '/oidc/token', codeFields(begun, answer));
  const refresh = { grant_type: 'refresh_token', refresh_token: first.refresh_token };
  const { access_token: token } = await ask('refresh', '/oidc/token', refresh);
  await ask('introspection', '/oidc/introspection', { token });
  await ask('userinfo', '/oidc/userinfo', {}, { authorization: `Bearer ${token}` });
  executed.mock.restore();
  assert.deepEqual(reads, needed);
});

interface Counter extends AsyncDisposable {
  /** The number of requests to the store so far. */
  count(): Promise<number>;
}

interface Counted {
  /** A URL of the same database that counts its traffic. */
  readonly url: string;
  readonly counter: Counter;
}

async function countStatements(engine: UserEngine, url: string): Promise<Counted> {
  switch (engine) {
    case 'SQLite':
      return { url, counter: countInSqlite() };
    case 'PostgreSQL':
      return countOnTheWire(url, readPostgresMessage);
    case 'MariaDB':
      return countOnTheWire(url, readMysqlPacket);
  }
}

/** Counts the calls of all functions that execute a statement, without the start and the end of transactions. */
function countInSqlite(): Counter {
  const executed = (['all', 'get', 'iterate', 'run'] as const).map((name) =>
    mock.method(StatementSync.prototype, name),
  );
  const executedText = mock.method(DatabaseSync.prototype, 'exec');
  return {
    async count() {
      const statements = executed.flatMap(({ mock: { calls } }) => calls.map((call) => call.this as StatementSync));
      const lookups = statements.filter(({ sourceSQL }) => !/^(?:begin|commit)\b/.test(sourceSQL));
      return lookups.length + executedText.mock.callCount();
    },
    async [Symbol.asyncDispose]() {
      for (const { mock: context } of [...executed, executedText]) context.restore();
    },
  };
}

/** Counts the commands of a Redis with MONITOR, including those from scripts. */
async function countCommands(url: string): Promise<Counter> {
  const redis = connectOnce(url);
  await redis.ping();
  const monitor = await redis.monitor();
  let commands = 0;
  let marks = 0;
  monitor.on('monitor', (_time: string, [name]: readonly string[]) => {
    if (name === 'echo') marks += 1;
    else commands += 1;
  });
  return {
    async count() {
      // MONITOR reports over another connection, in the order of the commands.
      const next = marks + 1;
      await redis.echo('mark');
      while (marks < next) await setTimeout(1);
      return commands;
    },
    async [Symbol.asyncDispose]() {
      monitor.disconnect();
      redis.disconnect();
    },
  };
}

interface Message {
  readonly length: number;
  /** Whether the message executes a statement. */
  readonly executes: boolean;
}

/** Reads the first message in the bytes. Undefined until its header is complete. */
type ReadMessage = (bytes: Buffer, isFirst: boolean) => Message | undefined;

/** Looks for Execute and Query. The first message of a connection has no letter. */
function readPostgresMessage(bytes: Buffer, isFirst: boolean): Message | undefined {
  if (bytes.length < 5) return undefined;
  if (isFirst) return { length: bytes.readUInt32BE(0), executes: false };
  return { length: 1 + bytes.readUInt32BE(1), executes: ['E', 'Q'].includes(String.fromCharCode(bytes[0] ?? 0)) };
}

/** Looks for COM_QUERY and COM_STMT_EXECUTE. A command has packet number 0, which authentication does not. */
function readMysqlPacket(bytes: Buffer): Message | undefined {
  if (bytes.length < 5) return undefined;
  return { length: 4 + bytes.readUIntLE(0, 3), executes: bytes[3] === 0 && [0x03, 0x17].includes(bytes[4] ?? 0) };
}

async function countOnTheWire(url: string, readMessage: ReadMessage): Promise<Counted> {
  const { hostname: host, port: serverPort } = new URL(url);
  let executed = 0;

  /** Creates a reader for the bytes of one connection. */
  function createReader(): (chunk: Buffer) => void {
    let rest = Buffer.alloc(0);
    let isFirst = true;
    return (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const message = readMessage(rest, isFirst);
        if (message === undefined || message.length > rest.length) return;
        if (message.executes) executed += 1;
        rest = rest.subarray(message.length);
        isFirst = false;
      }
    };
  }

  const server = createServer({ noDelay: true }, (client) => {
    const onward = connect({ host, port: Number(serverPort), noDelay: true });
    client.on('data', createReader());
    client.pipe(onward).pipe(client);
    client.on('error', () => onward.destroy());
    onward.on('error', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: Object.assign(new URL(url), { port: String(port) }).href,
    counter: {
      count: async () => executed,
      async [Symbol.asyncDispose]() {
        server.close();
      },
    },
  };
}
