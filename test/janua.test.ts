import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import formbody from '@fastify/formbody';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { cleaningInterval } from '../src/core/stores/upkeep.ts';
import { ChangeRefused, createJanua, type GivenSettings, type Janua, Misconfiguration } from '../src/janua.ts';
import { type Client, createClient } from './client.ts';
import { ann, password } from './janua.ts';
import { createTemporaryFolder } from './servers/process-end.ts';
import { asJson, form, json, sessionCookie } from './web/faces.ts';

const inMemory = { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' } as const;

/** An app with routes of its own and Janua as a part. Ann has a session. */
interface Host extends AsyncDisposable, Client {
  readonly app: FastifyInstance;
  readonly janua: Janua;
  readonly cookie: { cookie: string };
}

async function startHost({
  settings = {},
  options = {},
  before = async () => {},
  after = () => {},
}: {
  settings?: GivenSettings;
  options?: FastifyServerOptions;
  /** Adds to the app before Janua. */
  before?: (app: FastifyInstance) => Promise<void>;
  after?: (app: FastifyInstance) => void;
} = {}): Promise<Host> {
  const janua = await createJanua({ ...inMemory, ...settings }, { migrates: true });
  await janua.users.add({ ...ann, password });
  const app: FastifyInstance = Fastify(options);
  await before(app);
  await app.register(janua.plugin);
  after(app);
  const login = await app.inject({ method: 'POST', url: '/auth/token', ...form({ username: ann.username, password }) });
  const name = settings.PUBLIC_URL?.startsWith('https:') ? '__Host-session' : 'session';
  return {
    ...createClient(app),
    app,
    janua,
    cookie: { cookie: `${name}=${sessionCookie(login)}` },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const reports = (app: FastifyInstance) => {
  app.get('/reports', { config: { signedIn: true } }, async ({ user }) => ({ reader: user.firstName }));
  app.post('/reports', { config: { signedIn: true } }, async ({ user, body }) => ({ writer: user.firstName, body }));
};

describe('a route of the app with signedIn', () => {
  test('knows the user by cookie or token, and its answer is not cached', async () => {
    await using host = await startHost({ after: reports });
    const login = await host.post('/api/login', { username: ann.username, password });
    for (const headers of [host.cookie, { authorization: `Bearer ${login.json().access_token}` }]) {
      const answer = await host.get('/reports', headers);
      assert.deepEqual(answer.json(), { reader: 'Ann' });
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['content-security-policy'], undefined, 'Janua sends no CSP on routes of the app');
      const posted = await host.app.inject({ method: 'POST', url: '/reports', headers, payload: { a: 1 } });
      assert.deepEqual(posted.json(), { writer: 'Ann', body: { a: 1 } });
    }
  });

  test('sends a browser without a session to the login page and back, and answers a program 401', async () => {
    await using host = await startHost({ after: reports });
    const page = await host.get('/reports?year=2026');
    assert.equal(page.statusCode, 303);
    assert.equal(page.headers.location, '/auth/login?state=2&next=%2Freports%3Fyear%3D2026');
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
    const dead = await host.get('/reports', { cookie: 'session=dead' });
    assert.match(String(dead.headers['set-cookie']), /^session=; .*Max-Age=0$/);
    const login = await host.get(String(dead.headers.location), { cookie: 'session=dead' });
    assert.match(
      String(login.headers['set-cookie']),
      /^session=; .*Max-Age=0$/,
      'a page with a message clears it, too',
    );

    const program = await host.get('/reports', asJson);
    assert.equal(program.statusCode, 401);
    const request_id = program.headers['x-request-id'];
    assert.deepEqual(program.json(), { title: 'Unauthorized', status: 401, detail: 'Not authenticated', request_id });
    assert.equal(program.headers['www-authenticate'], 'Bearer realm="janua"');
    const token = await host.get('/reports', { ...asJson, authorization: 'Bearer x' });
    assert.equal(token.headers['www-authenticate'], 'Bearer realm="janua", error="invalid_token"');
    const twice = await host.app.inject({ method: 'HEAD', url: '/reports' });
    assert.equal(twice.statusCode, 303);

    await host.post('/auth/logout', undefined, host.cookie);
    assert.equal((await host.get('/reports', host.cookie)).statusCode, 303);
  });

  test('refuses requests from another site, including a WebSocket', async () => {
    await using host = await startHost({ after: reports, settings: { CORS_ORIGINS: ['https://app.example.com'] } });
    const statusOf = async (headers: Record<string, string>, method: 'POST' | 'GET' = 'POST') =>
      (await host.app.inject({ method, url: '/reports', headers: { ...host.cookie, ...headers } })).statusCode;
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'https://app.example.com.evil.example' },
      { origin: 'http://app.example.com' },
      { origin: 'null' },
    ]) {
      assert.equal(await statusOf(headers), 403, JSON.stringify(headers));
      assert.equal(await statusOf(headers, 'GET'), 200);
      assert.equal(await statusOf({ ...headers, upgrade: 'websocket' }, 'GET'), 403);
    }
    for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { origin: 'https://app.example.com' }])
      assert.equal(await statusOf(headers), 200, JSON.stringify(headers));
  });

  test('is guarded in every scope before its own hooks, and may set its own Cache-Control', async () => {
    await using host = await startHost({
      after(app) {
        app.register(
          async (scope) => {
            const config = { signedIn: true };
            const onRequest = async ({ user }: { user: { username: string } }) => assert.ok(user.username);
            scope.get('/list', { config, onRequest }, async (_request, reply) => {
              reply.header('cache-control', 'private, max-age=60');
              return [];
            });
          },
          { prefix: '/api/things' },
        );
      },
    });
    const answer = await host.get('/api/things/list', host.cookie);
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['cache-control'], 'private, max-age=60');
    const refused = await host.get('/api/things/list');
    assert.equal(refused.statusCode, 401, 'a path under /api/ gets the response for programs');
  });

  test('has a user, but no other route has', async () => {
    await using host = await startHost({
      after(app) {
        app.get('/open', async ({ user }) => ({ reader: user.firstName }));
      },
    });
    const answer = await host.get('/open', host.cookie);
    assert.equal(answer.statusCode, 500);
    assert.match(answer.json().message, /only a route with `signedIn` has a user/);
  });

  test('lets no request in when the look-up of the session fails, and does not reveal why', async () => {
    await using host = await startHost({ after: reports });
    await host.janua.close();
    const answer = await host.get('/reports', { ...host.cookie, ...asJson });
    assert.equal(answer.statusCode, 500);
    assert.match(answer.json().detail, /^Something went wrong on our side/);
  });
});

describe('an app on a Unix socket', () => {
  /** Sends six wrong logins of one client through a proxy, then a right one of another. Gives the last status. */
  async function statusOfOther(settings: GivenSettings): Promise<number | undefined> {
    const folder = createTemporaryFolder('socket');
    await using host = await startHost({ settings });
    const path = join(folder.path, 'app.sock');
    await host.app.listen({ path });
    async function logIn(address: string, fields: Record<string, string>): Promise<number | undefined> {
      const headers = { 'x-forwarded-for': address, 'content-type': 'application/json' };
      const sent = request({ socketPath: path, path: '/api/login', method: 'POST', headers, agent: false });
      sent.end(JSON.stringify(fields));
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      return answer.statusCode;
    }
    try {
      for (let index = 0; index < 6; index++)
        await logIn('203.0.113.9', { username: `nobody-${index}@example.com`, password: 'wrong' });
      return await logIn('198.51.100.7', { username: ann.username, password });
    } finally {
      folder.remove();
    }
  }

  test('tells clients apart by X-Forwarded-For if TRUSTED_PROXIES names unix', async () =>
    assert.equal(await statusOfOther({ TRUSTED_PROXIES: ['unix'] }), 200));

  test('counts all clients as one if TRUSTED_PROXIES does not name unix', async () =>
    assert.equal(await statusOfOther({}), 429));

  test('trusts no client on a port even if TRUSTED_PROXIES names unix', async () => {
    await using host = await startHost({ settings: { TRUSTED_PROXIES: ['unix'] } });
    await host.app.listen({ host: '127.0.0.1', port: 0 });
    const headers = { 'x-forwarded-for': '203.0.113.9', 'x-request-id': 'chosen' };
    const answer = await host.get('/api/me', headers);
    assert.notEqual(answer.headers['x-request-id'], 'chosen');
  });
});

describe('an app that takes request ids from a header', () => {
  for (const requestIdHeader of ['x-request-id', 'x-correlation-id'])
    test(`keeps doing so from ${requestIdHeader}, but clients cannot choose Janua's request ids`, async () => {
      const options = { requestIdHeader, genReqId: () => 'made by the app' };
      await using host = await startHost({ options, after: (app) => app.get('/own', async ({ id }) => id) });
      const headers = { [requestIdHeader]: 'chosen' };
      for (const url of ['/api/me', '/auth/login', '/health/live']) {
        const id = (await host.get(url, headers)).headers['x-request-id'];
        assert.match(String(id), /^[\da-f-]{36}$/, url);
      }
      assert.equal((await host.get('/own', headers)).body, 'chosen', "the app's own routes keep the client's id");
    });
});

describe('the log of the app', () => {
  const fromHeader = { requestIdHeader: 'x-request-id' };
  for (const [title, settings, options, logged, answered] of [
    ['has the request id of the answer', {}, {}, 'made', 'made'],
    [
      "has a client's id if the app takes ids from a header, but Janua's answer does not",
      {},
      fromHeader,
      'sent',
      'made',
    ],
    [
      "has a trusted proxy's id, and so has Janua's answer",
      { TRUSTED_PROXIES: ['127.0.0.1'] },
      fromHeader,
      'sent',
      'sent',
    ],
  ] as const)
    test(title, async () => {
      const ids = new Set<string>();
      const logger = { level: 'info', stream: { write: (line: string) => void ids.add(JSON.parse(line).reqId) } };
      const genReqId = () => randomUUID();
      await using host = await startHost({ settings, options: { logger, genReqId, ...options }, after: reports });
      for (const url of ['/api/me', '/reports']) {
        ids.clear();
        const answer = await host.get(url, { 'x-request-id': 'sent' });
        const shown = String(answer.headers['x-request-id']);
        const madeOrSent = (id: string) => (/^[\da-f-]{36}$/.test(id) ? 'made' : id);
        assert.deepEqual([...ids].map(madeOrSent), [logged], url);
        if (url === '/api/me') assert.equal(madeOrSent(shown), answered);
        if (url === '/reports' || logged === answered) assert.deepEqual([shown], [...ids], url);
      }
    });
});

describe('Janua and the app do not change each other', () => {
  const own = async (app: FastifyInstance) => {
    app.register(formbody);
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('x-own', 'yes');
    });
    app.setErrorHandler((error: Error, _request, reply) => reply.code(418).send({ own: error.message }));
    app.setNotFoundHandler((_request, reply) => reply.code(404).send({ own: 'not here' }));
  };
  const routes = (app: FastifyInstance) => {
    app.get('/', async () => 'the own start page');
    app.post('/text', async ({ body }) => ({ body }));
    app.get('/fault', async () => {
      throw new Error('a fault');
    });
    const schema = { body: { type: 'object', properties: { count: { type: 'number' } }, additionalProperties: false } };
    app.post('/counts', { schema }, async ({ body }) => body);
  };

  test('the app keeps its own parsers, validation, error handler, 404 and headers', async () => {
    await using host = await startHost({ before: own, after: routes });
    const { app } = host;
    assert.equal((await app.inject('/')).body, 'the own start page');
    const text = { method: 'POST', url: '/text' } as const;
    const plain = await app.inject({ ...text, headers: { 'content-type': 'text/plain' }, payload: 'x' });
    assert.deepEqual(plain.json(), { body: 'x' });
    assert.deepEqual((await app.inject({ ...text, ...form({ a: 1 }) })).json(), { body: { a: '1' } });
    const counts = await app.inject({ method: 'POST', url: '/counts', payload: { count: '1', other: 2 } });
    assert.deepEqual(counts.json(), { count: 1 }, "the app has Fastify's default validation");
    const fault = await app.inject('/fault');
    assert.equal(fault.statusCode, 418);
    assert.deepEqual(fault.json(), { own: 'a fault' });
    for (const url of ['/nothing', '/auth/nothing'])
      assert.deepEqual((await app.inject(url)).json(), { own: 'not here' });
    const foreign = { 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' };
    const open = await app.inject({ ...text, headers: foreign, payload: 'x' });
    assert.equal(open.statusCode, 200, 'a route without signedIn has no cross-site checks');
    for (const name of ['content-security-policy', 'x-request-id', 'vary', 'cache-control'])
      assert.equal(open.headers[name], undefined, name);
  });

  test("the app's own parsers and compilers do not change Janua's routes", async () => {
    await using host = await startHost({
      before: async (app) => {
        await own(app);
        app.setValidatorCompiler(() => () => ({ error: new Error('nothing is valid') }));
        app.setSerializerCompiler(() => () => '"not this"');
        app.addContentTypeParser('application/json', (_request, _body, done) => done(null, { own: true }));
      },
    });
    const { app } = host;
    const wrong = await app.inject({ method: 'POST', url: '/api/login', ...json({ username: 1, password }) });
    assert.equal(wrong.statusCode, 400);
    assert.equal(wrong.json().error, 'invalid_request');
    const plain = { 'content-type': 'text/plain' };
    const text = await app.inject({ method: 'POST', url: '/api/logout', headers: plain, payload: 'x' });
    assert.equal(text.statusCode, 415);
    const me = await app.inject({ url: '/api/me', headers: host.cookie });
    assert.deepEqual(me.json(), { username: ann.username, first_name: 'Ann', last_name: 'Archer' });
    assert.match(String(me.headers['x-request-id']), /^[\da-f-]{36}$/);
  });
});

describe('in an app with WebSockets', () => {
  const socketRoute = (app: FastifyInstance) =>
    void app.register(async (sockets) => {
      sockets.get('/socket', { websocket: true, config: { signedIn: true } }, (socket, { user }) => {
        socket.send(`for ${user.firstName}`);
        socket.terminate();
      });
    });
  const orders: [title: string, plugins: Parameters<typeof startHost>[0]][] = [
    ['before Janua', { before: async (app) => void (await app.register(websocket)), after: socketRoute }],
    ['after Janua', { after: (app) => socketRoute(app.register(websocket)) }],
  ];
  for (const [title, plugins] of orders) {
    test(`whose plugin was added ${title}, a refused handshake is answered and its connection closed`, async () => {
      const kept: Socket[] = [];
      const host = await startHost(plugins);
      try {
        const url = await host.app.listen({ host: '127.0.0.1', port: 0 });
        /** Sends a handshake and gives the status after the server has closed. The client itself does not close. */
        async function shake(path: string, headers: Record<string, string> = {}): Promise<number> {
          const connection = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
          kept.push(connection);
          const handshake = {
            ...{ host: 'localhost', connection: 'Upgrade', upgrade: 'websocket' },
            ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
          };
          const fields = Object.entries({ ...handshake, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
          connection.write(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`);
          return Number((await text(connection)).split(' ', 2)[1]);
        }
        assert.equal(await shake('/socket', host.cookie), 101);
        assert.equal(await shake('/socket'), 303);
        assert.equal(await shake('/socket', asJson), 401);
        assert.equal(await shake('/socket', { ...host.cookie, 'sec-fetch-site': 'cross-site' }), 403);
        // A proxy passes on the headers of the client. A 101 would not answer its question.
        assert.equal(await shake('/auth/verify', asJson), 401);
        assert.equal(await shake('/auth/verify', host.cookie), 200);
        // A plugin that was added before Janua turns these into WebSockets and closes them itself.
        if (title === 'after Janua') for (const path of ['/auth/login', '/api/me', '/no']) await shake(path);
        await host[Symbol.asyncDispose]();
      } finally {
        for (const connection of kept) connection.destroy();
      }
    });
  }
});

test("the app's own OpenAPI document does not show our routes, and ours does not show the app's", async () => {
  await using host = await startHost({
    before: async (app) => {
      await app.register(swagger, { openapi: {} });
    },
    after(app) {
      reports(app);
      app.get('/document', async () => app.swagger());
    },
  });
  const pathsOf = async (url: string) => Object.keys((await host.get(url)).json().paths);
  assert.deepEqual(await pathsOf('/document'), ['/reports', '/document']);
  const ours = await pathsOf('/openapi.json');
  assert.ok(ours.includes('/api/login'));
  assert.ok(!ours.includes('/reports'));
});

test('the app and Janua serve each their own files by the same plugin', async () => {
  const root = fileURLToPath(new URL('.', import.meta.url));
  await using host = await startHost({
    before: async (app) => {
      await app.register(fastifyStatic, { root, serve: false });
    },
    after(app) {
      app.get('/own', (_request, reply) => reply.sendFile('janua.test.ts'));
    },
  });
  assert.match((await host.get('/own')).body, /serve each their own files/);
  assert.match((await host.get('/assets/pico.css')).body, /Pico/);
});

test('Janua works in an app that speaks HTTP/2', async () => {
  const janua = await createJanua(inMemory, { migrates: true });
  const app = Fastify({ http2: true });
  await app.register(janua.plugin);
  app.get('/reports', { config: { signedIn: true } }, async ({ user }) => user.firstName);
  await janua.users.add({ ...ann, password });
  const client = connectHttp2(await app.listen({ port: 0, host: '127.0.0.1' }));
  try {
    const login = client.request({ ':path': '/auth/token', ':method': 'POST', 'content-type': 'application/json' });
    login.end(JSON.stringify({ username: ann.username, password }));
    const [headers] = await once(login, 'response');
    assert.equal(headers[':status'], 303);
    const cookie = String(headers['set-cookie'][0]).split(';', 1)[0];
    assert.equal(await text(client.request({ ':path': '/reports', cookie })), 'Ann');
  } finally {
    client.destroy();
    await app.close();
  }
});

describe('no route with signedIn is open', () => {
  const word = { config: { signedIn: true } };
  const open = async () => 'open';

  test('whether it was added before Janua, after it, in another scope, or by a hook', async () => {
    const janua = await createJanua(inMemory, { migrates: true });
    await janua.users.add({ ...ann, password });
    const app = Fastify();
    reports(app);
    app.get('/status', open);
    app.register(async (earlier) => void earlier.get('/earlier', word, open), { prefix: '/a' });
    await app.register(async (loaded) => void loaded.get('/loaded', word, open));
    // Not awaited.
    app.register(janua.plugin);
    app.get('/late', word, open);
    app.register(async (later) => void later.get('/later', word, open));
    app.register(async (worded) => {
      worded.addHook('onRoute', (route) => {
        route.config = { ...route.config, signedIn: true };
      });
      worded.get('/worded', open);
    });
    await app.ready();
    const login = await app.inject({
      method: 'POST',
      url: '/auth/token',
      ...form({ username: ann.username, password }),
    });
    const cookie = `session=${sessionCookie(login)}`;
    assert.equal((await app.inject('/status')).body, 'open');
    for (const url of ['/reports', '/a/earlier', '/loaded', '/late', '/later', '/worded']) {
      assert.equal((await app.inject(url)).statusCode, 303, url);
      assert.equal((await app.inject({ url, headers: { cookie } })).statusCode, 200, url);
    }
    await app.close();
  });

  test('if Janua was registered in a scope: routes outside of it answer 500', async () => {
    const janua = await createJanua(inMemory, { migrates: true });
    const app = Fastify();
    let sibling: FastifyInstance | undefined;
    await app.register(async (other) => {
      sibling = other;
      other.get('/earlier', word, open);
    });
    await app.register(async (outer) => {
      await outer.register(async (inner) => {
        await inner.register(janua.plugin);
        reports(inner);
        inner.register(async (within) => void within.get('/within', word, open));
      });
      outer.get('/beside', open);
      outer.get('/outer', word, open);
    });
    sibling?.get('/sibling', word, open);
    app.addHook('onRoute', (route) => {
      if (route.url === '/worded') route.config = { ...route.config, signedIn: true };
    });
    app.get('/worded', open);
    app.register(async (other) => void other.get('/later', word, open));
    await app.ready();
    assert.equal((await app.inject('/beside')).body, 'open');
    for (const url of ['/reports', '/within']) assert.equal((await app.inject(url)).statusCode, 303, url);
    for (const url of ['/earlier', '/outer', '/sibling', '/worded', '/later']) {
      const answer = await app.inject(url);
      assert.equal(answer.statusCode, 500, url);
      assert.match(answer.json().message, /Register Janua on the app itself/);
    }
    await app.close();
  });
});

describe('Janua refuses to start', () => {
  test('with a prefix, because its links would be dead', async () => {
    const janua = await createJanua(inMemory, { migrates: true });
    for (const mount of [
      async (app: FastifyInstance) => app.register(janua.plugin, { prefix: '/sso' }),
      async (app: FastifyInstance) => app.register(async (scope) => scope.register(janua.plugin), { prefix: '/sso' }),
    ])
      await assert.rejects(async () => mount(Fastify()), /without the prefix \/sso/);
    await janua.close();
  });
});

describe('settings of the library', () => {
  for (const [settings, line] of [
    [{ PUBLIC_URL: 'http://auth.example.com' }, /PUBLIC_URL must be https/],
    [{ THROTTLE: 'off', PUBLIC_URL: 'https://auth.example.com' }, /THROTTLE=off/],
    [{ DATABASE_URL: 'oracle://x' }, /DATABASE_URL must be/],
    [{ PORT: 5000, DATABSE_URL: 'x' }, /PORT is decided by the app[\s\S]*DATABSE_URL is not a setting/],
    [{ CORS_ORIGINS: 'https://a.example' }, /CORS_ORIGINS must be a list of texts/],
    [
      { SESSION_IDLE_SECONDS: '60', DOCS: 'no' },
      /DOCS must be on or off[\s\S]*SESSION_IDLE_SECONDS must be a whole number/,
    ],
    [{ constructor: 'x' }, /constructor is not a setting/],
  ] as const) {
    test(`${JSON.stringify(settings)} is a Misconfiguration`, async () => {
      await assert.rejects(
        createJanua(settings as GivenSettings),
        (error) => error instanceof Misconfiguration && line.test(error.message),
      );
    });
  }

  test('are not read from the environment, and undefined counts as missing', async () => {
    process.env.APP_NAME = 'Not this';
    try {
      await using host = await startHost({ settings: { APP_NAME: undefined } });
      assert.match((await host.get('/auth/login')).body, /<title>Janua Login<\/title>/);
    } finally {
      delete process.env.APP_NAME;
    }
  });

  test('create missing tables only with `migrates`', async () => {
    const folder = createTemporaryFolder('library');
    const settings = { DATABASE_URL: `sqlite:${join(folder.path, 'janua.db')}`, LOG_LEVEL: 'silent' } as const;
    await assert.rejects(createJanua(settings), /janua migrate/);
    await (await createJanua(settings, { migrates: true })).close();
    await (await createJanua(settings)).close();
    folder.remove();
  });

  test('determine the cookie and the own origin', async () => {
    await using host = await startHost({ after: reports, settings: { PUBLIC_URL: 'https://app.example.com' } });
    assert.equal((await host.get('/reports', host.cookie)).statusCode, 200);
    const origin = { origin: 'https://app.example.com', ...host.cookie };
    assert.equal((await host.post('/reports', undefined, origin)).statusCode, 200);
  });
});

function portOf(app: FastifyInstance): number {
  const [address] = app.addresses();
  return typeof address === 'object' ? address.port : 0;
}

describe('an app that listens', () => {
  const logOut = (port: number, origin: string) =>
    fetch(`http://127.0.0.1:${port}/api/logout`, { method: 'POST', headers: { origin } });
  test('on a free port of this machine accepts its own origin only', async () => {
    await using host = await startHost();
    await host.app.listen({ port: 0, host: '127.0.0.1' });
    const port = portOf(host.app);
    assert.equal((await logOut(port, `http://localhost:${port}`)).status, 401);
    // 5000 is the port of `janua serve`, where nothing of ours listens.
    for (const other of [1, 5000])
      assert.equal((await logOut(port, `http://localhost:${other}`)).status, 403, String(other));
  });

  test('beyond this machine without a public URL answers 503', async () => {
    await using host = await startHost({ after: reports });
    await host.app.listen({ port: 0, host: '0.0.0.0' });
    for (const url of ['/reports', '/api/me']) {
      const answer = await host.get(url, host.cookie);
      assert.equal(answer.statusCode, 503);
      assert.equal(answer.headers['retry-after'], '60');
    }
  });
});

test('`janua.users` changes users, and refuses changes, like the commands', async () => {
  await using host = await startHost({ after: reports });
  const { users } = host.janua;
  await assert.rejects(users.add({ ...ann, password }), ChangeRefused);
  await users.disable(ann.username);
  assert.equal((await host.get('/reports', host.cookie)).statusCode, 303);
});

test('metrics are served at their own address until the app closes', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await promisify(probe.close.bind(probe))();
  const host = await startHost({ after: reports, settings: { METRICS_LISTEN: String(port) } });
  const url = `http://127.0.0.1:${port}/metrics`;
  assert.match(await (await fetch(url)).text(), /route="\/auth\/token"/);
  await host.app.close();
  await assert.rejects(fetch(url));
});

test('a timer removes expired rows until the app closes', async (t) => {
  const set = t.mock.method(globalThis, 'setInterval');
  const cleared = t.mock.method(globalThis, 'clearInterval');
  const host = await startHost();
  const timer = set.mock.calls.find(({ arguments: [, milliseconds] }) => milliseconds === cleaningInterval)?.result;
  assert.ok(timer !== undefined && !timer.hasRef());
  const isCleared = () => cleared.mock.calls.some(({ arguments: [each] }) => each === timer);
  assert.ok(!isCleared());
  await host.app.close();
  assert.ok(isCleared());
});

test('the app closes the stores once, after the requests under way', async () => {
  let goOn = () => {};
  const host = await startHost({
    after(app) {
      app.get('/slow', { config: { signedIn: true } }, async () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        goOn = resolve;
        started.resolve();
        await promise;
        return (await Array.fromAsync(host.janua.users.list())).length;
      });
    },
  });
  const started = Promise.withResolvers<void>();
  await host.app.listen({ port: 0, host: '127.0.0.1' });
  const answer = fetch(`http://127.0.0.1:${portOf(host.app)}/slow`, { headers: host.cookie });
  await started.promise;
  const closed = host.app.close();
  goOn();
  assert.equal(await (await answer).text(), '1');
  await closed;
  await assert.rejects(Array.fromAsync(host.janua.users.list()));
  await host.janua.close();
});
