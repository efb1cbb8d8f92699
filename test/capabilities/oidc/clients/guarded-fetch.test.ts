import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  createGuardedFetch,
  type GuardedFetchOptions,
} from '../../../../src/capabilities/oidc/clients/guarded-fetch.ts';
import type { FindAddresses } from '../../../../src/capabilities/oidc/clients/resolve-addresses.ts';
import { createCertificate } from '../../../servers/certificate.ts';
import { createTemporaryFolder } from '../../../servers/process-end.ts';

interface Told {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A server on loopback that keeps what it was told. @param tls with a certificate for `app.test` */
async function listen(answer: RequestListener, tls?: ServerOptions) {
  const told: Told[] = [];
  let connections = 0;
  const listener: RequestListener = async (request, response) => {
    const { method, url, headers } = request;
    told.push({ method, url, headers, body: Buffer.concat(await request.toArray()).toString() });
    answer(request, response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    told,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A server on loopback that answers by bytes. */
function listenRaw(answer: (socket: Socket) => void) {
  const server = createTcpServer(answer).listen(0, '127.0.0.1');
  return {
    port: once(server, 'listening').then(() => (server.address() as AddressInfo).port),
    [Symbol.dispose]: () => void server.close(),
  };
}

/** Finds addresses of every name, each time the next ones. */
function finding(...turns: readonly string[][]): FindAddresses & { readonly asked: string[] } {
  const asked: string[] = [];
  const find: FindAddresses = async (host) => {
    const addresses = turns[Math.min(asked.length, turns.length - 1)] ?? [];
    asked.push(host);
    return addresses;
  };
  return Object.assign(find, { asked });
}

/** The guarded fetch, for a single party. @param find finds addresses in place of the name servers */
function createFetch({ find, ...options }: GuardedFetchOptions & { readonly find?: FindAddresses }) {
  const fetch = createGuardedFetch({ ...options, ...(find && { findAddresses: find, findPrivate: find }) });
  return (address: string | URL, init?: RequestInit) => fetch(address, init, { party: 'the test' });
}

const loopback = finding(['127.0.0.1']);

describe('the guarded fetch', () => {
  const folder = createTemporaryFolder('guarded-fetch');
  let tls: { key: string; cert: string };
  before(async () => {
    const { certificate, key } = await createCertificate(folder.path, 'app', 'DNS:app.test,IP:127.0.0.1');
    tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(certificate, 'utf8') };
    setDefaultCACertificates([...getCACertificates('default'), tls.cert]);
  });
  after(() => folder.remove());

  test('sends a request, and gives the response', async () => {
    await using server = await listen((_request, response) => {
      response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] });
      response.end('{"a":"ä"}');
    }, tls);
    const fetch = createFetch({ privateHosts: ['App.test'], find: loopback });
    const response = await fetch(`https://app.test:${server.port}/logout?x=1`, {
      method: 'POST',
      redirect: 'manual',
      headers: new Headers({ 'user-agent': '', accept: 'application/json' }),
      body: new URLSearchParams({ logout_token: 'a b' }),
      signal: AbortSignal.timeout(60_000),
    });
    assert.deepEqual([response.status, await response.json()], [201, { a: 'ä' }]);
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
    const [{ method, url, headers, body } = assert.fail('nothing was sent')] = server.told;
    assert.deepEqual([method, url, body], ['POST', '/logout?x=1', 'logout_token=a+b']);
    assert.equal(headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8');
    assert.deepEqual([headers.accept, headers['user-agent']], ['application/json', 'Janua']);
  });

  test('gives a response without a body, and does not follow a redirect', async () => {
    await using server = await listen((request, response) => {
      response.writeHead(request.url === '/204' ? 204 : 302, { location: '/elsewhere' }).end();
    });
    const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
    for (const status of [204, 302])
      assert.equal((await fetch(new URL(`http://127.0.0.1:${server.port}/${status}`))).status, status);
    assert.equal(server.told.length, 2);
  });

  test('checks the certificate', async () => {
    await using server = await listen((_request, response) => response.end(), tls);
    const fetch = createFetch({ privateHosts: ['other.test'], find: loopback });
    await assert.rejects(fetch(`https://other.test:${server.port}/`), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    assert.equal(server.told.length, 0);
  });

  test('lets no host choose the group of the key exchange, which would take long', async () => {
    const { certificate, key } = await createCertificate(folder.path, 'rsa', 'IP:127.0.0.1', ['rsa:2048']);
    const files = { key: readFileSync(key, 'utf8'), cert: readFileSync(certificate, 'utf8') };
    const chosen = { dhparam: 'auto', ciphers: 'DHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
    await using server = await listen((_request, response) => response.end(), { ...files, ...chosen });
    const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
    await assert.rejects(fetch(`https://127.0.0.1:${server.port}/`), /handshake failure/);
  });

  test('makes no connection in the thread of the requests', async (t) => {
    await using server = await listen((_request, response) => response.end('there'), tls);
    let count = 0;
    const note = () => {
      count += 1;
    };
    subscribe('net.client.socket', note);
    t.after(() => unsubscribe('net.client.socket', note));
    const fetch = createFetch({ privateHosts: ['app.test'], find: loopback });
    assert.equal(await (await fetch(`https://app.test:${server.port}/`)).text(), 'there');
    assert.equal(count, 0);
  });

  for (const status of ['099 X', '101 Switching Protocols', '600 X', '999 X'])
    test(`takes no response with the status ${status}`, async () => {
      using server = listenRaw((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`));
      });
      const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
      await assert.rejects(fetch(`http://127.0.0.1:${await server.port}/`));
    });

  test('waits for no connection that a host would use for another protocol', async () => {
    using server = listenRaw((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'));
    });
    const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
    await assert.rejects(fetch(`http://127.0.0.1:${await server.port}/`), { name: 'TimeoutError' });
  });

  test('takes few interim responses before the response', async () => {
    const answer = (count: number) =>
      `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(count)}HTTP/1.1 204 No Content\r\n\r\n`;
    for (const [count, isTaken] of [
      [8, true],
      [9, false],
    ] as const) {
      using server = listenRaw((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(answer(count)));
      });
      const fetched = createFetch({ privateHosts: ['127.0.0.1'] })(`http://127.0.0.1:${await server.port}/`);
      if (isTaken) assert.equal((await fetched).status, 204);
      else await assert.rejects(fetched);
    }
  });

  test('calls no private address, whether it is written, or a name resolves to it', async () => {
    await using server = await listen((_request, response) => response.end(), tls);
    const { port } = server;
    const find = finding(['127.0.0.1', '::1', '10.0.0.1']);
    const fetch = createFetch({ privateHosts: ['app.internal'], find });
    for (const host of [
      '127.0.0.1',
      '127.1',
      '0x7f000001',
      '2130706433',
      '0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'app.test',
    ])
      await assert.rejects(fetch(`https://${host}:${port}/`), { name: 'AddressRefused' }, host);
    assert.deepEqual([server.connections(), find.asked], [0, ['app.test']]);
  });

  test('uses only the public ones of the addresses that a name has', async () => {
    await using server = await listen((_request, response) => response.end(), tls);
    const fetch = createFetch({ privateHosts: [], find: finding(['127.0.0.1', '64:ff9b::cb00:7101']) });
    await assert.rejects(fetch(`https://app.test:${server.port}/`), { name: 'AddressRefused' });
    assert.equal(server.connections(), 0);
    // No test leaves this machine. Nothing listens at the other address.
    const isPublic = (address: string) => address !== '127.0.0.1';
    const mixed = createFetch({ privateHosts: [], find: finding(['127.0.0.1', '127.0.0.2']), isPublic });
    await assert.rejects(mixed(`https://app.test:${server.port}/`), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ECONNREFUSED');
      return error.message.includes('127.0.0.2');
    });
    assert.equal(server.connections(), 0);
  });

  test('judges the very addresses that it connects to, however a name resolves before and after', async () => {
    await using server = await listen((_request, response) => response.end(), tls);
    const find = finding(['127.0.0.1'], ['8.8.8.8']);
    const fetch = createFetch({ privateHosts: [], find });
    await assert.rejects(fetch(`https://app.test:${server.port}/`), { name: 'AddressRefused' });
    assert.deepEqual([find.asked.length, server.connections()], [1, 0], 'one search for each connection');
  });

  test('connects to the next address where one takes no connection', async () => {
    await using server = await listen((_request, response) => response.end('there'), tls);
    const find = finding(['127.0.0.2', '127.0.0.1']);
    const fetch = createFetch({ privateHosts: [], find, isPublic: () => true });
    assert.equal(await (await fetch(`https://app.test:${server.port}/`)).text(), 'there');
    assert.equal(server.told.length, 1);
  });

  test('asks name servers for the names of strangers, and not the system, whose threads they could take', async (t) => {
    await using server = await listen((_request, response) => response.end('there'), tls);
    for (const [method, addresses] of [
      ['resolve4', ['127.0.0.1']],
      ['resolve6', []],
    ] as const)
      t.mock.method(Resolver.prototype, method, async () => [...addresses]);
    const fetch = createFetch({ privateHosts: [], isPublic: () => true });
    assert.equal(await (await fetch(`https://app.test:${server.port}/`)).text(), 'there');
  });

  test('sends no request twice, to whatever addresses a name resolves', async () => {
    await using server = await listen((_request, response) => response.destroy(), tls);
    const find = finding(['127.0.0.1', '127.0.0.1']);
    const fetch = createFetch({ privateHosts: [], find, isPublic: () => true });
    await assert.rejects(fetch(`https://app.test:${server.port}/`, { method: 'POST' }));
    assert.equal(server.told.length, 1);
  });

  test('uses plain http and private addresses only for the named hosts themselves', async () => {
    await using server = await listen((_request, response) => response.end('inside'));
    const fetch = createFetch({ privateHosts: ['app.internal', '[::1]', '10.0.0.1'], find: loopback });
    const { port } = server;
    assert.equal(await (await fetch(`http://app.internal:${port}/`)).text(), 'inside');
    for (const host of ['localhost', '127.0.0.1', 'x.app.internal', 'app.internal.test', 'app.internal.'])
      await assert.rejects(fetch(`http://${host}:${port}/`), { name: 'AddressRefused' }, host);
    for (const url of ['ftp://app.internal/', 'file:///etc/passwd', 'data:,x'])
      await assert.rejects(fetch(url), { name: 'AddressRefused' }, url);
    const find = finding([]);
    const other = createFetch({ privateHosts: ['app.internal'], find });
    await assert.rejects(other('http://app.test/'), { name: 'AddressRefused' });
    assert.deepEqual(find.asked, [], 'plain http is refused before the name is looked up');
    for (const url of ['', 'x', `http://ann:secret@app.internal:${port}/`]) await assert.rejects(fetch(url), TypeError);
    assert.equal(server.connections(), 1);
  });

  test('reads no body that is longer than allowed', async () => {
    await using server = await listen((_request, response) => response.end('x'.repeat(1001)));
    const url = `http://127.0.0.1:${server.port}/`;
    const reading = (mostBytes: number) => createFetch({ privateHosts: ['127.0.0.1'], mostBytes })(url);
    assert.equal((await (await reading(1001)).text()).length, 1001);
    await assert.rejects(reading(1000), /more than 1000 bytes/);
  });

  for (const [end, breaks] of Object.entries<(socket: Socket) => void>({
    'the time limit': () => {},
    'a broken connection': (socket) => socket.resetAndDestroy(),
  }))
    test(`takes no body for whole that ${end} has cut`, async () => {
      using server = listenRaw((socket) => {
        socket.on('error', () => {}).resume();
        // Its end is the end of the connection.
        socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"a":1}', () => setImmediate(breaks, socket));
      });
      const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
      await assert.rejects(fetch(`http://127.0.0.1:${await server.port}/`));
    });

  test('takes a body for whole that ends with its connection', async () => {
    await using server = await listen((_request, response) => {
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      response.write('{"a":');
      response.end('1}');
    });
    const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
    const answer = await fetch(`http://127.0.0.1:${server.port}/`);
    assert.deepEqual([answer.headers.get('content-length'), await answer.json()], [null, { a: 1 }]);
  });

  test('gives up after three seconds, however slowly the response comes', async () => {
    await using server = await listen((_request, response) => {
      const drip = setInterval(() => response.write('x'), 100);
      response.on('close', () => clearInterval(drip));
    });
    const started = performance.now();
    const fetch = createFetch({ privateHosts: ['127.0.0.1'] });
    await assert.rejects(fetch(`http://127.0.0.1:${server.port}/`));
    const took = performance.now() - started;
    assert.ok(took > 2900 && took < 4500, `${took} ms`);
  });
});
