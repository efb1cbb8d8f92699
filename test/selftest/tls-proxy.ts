import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  createServer as createPlainServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Certificate } from '../servers/certificate.ts';

export interface Passed {
  method: string;
  path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Given {
  status: number;
  headers: OutgoingHttpHeaders;
  body: string;
}

/** The faults of a proxy. A good proxy has none. */
export interface Misdeeds {
  /** Changes the request. A returned value is the answer instead. `hang` answers nothing, and `hang up` closes the connection. */
  readonly request?: (passed: Passed) => Given | 'hang' | 'hang up' | undefined;
  /** Changes the answer. */
  readonly answer?: (given: Given, passed: Passed) => void;
  /** The answer to plain HTTP. `pass` passes the request on as if it were HTTPS. */
  readonly plain?: Given | 'pass' | undefined;
}

/** A TLS proxy before Janua, with a port for plain HTTP. */
export interface TlsProxy extends AsyncDisposable {
  readonly url: string;
  readonly plainPort: number;
  /** The server that it passes requests to. */
  target: string;
  misdeeds: Misdeeds;
  /** The client address that it reports. It is from a documentation network, because all tests run on this machine. */
  client: string;
  /** The number of requests, HTTPS and plain. */
  readonly count: number;
}

const refused: Given = { status: 403, headers: {}, body: 'HTTPS only' };

export async function startTlsProxy(certificate: Certificate, tls: ServerOptions = {}): Promise<TlsProxy> {
  const [key, cert] = await Promise.all([readFile(certificate.key), readFile(certificate.certificate)]);
  let count = 0;

  const server = createTlsServer({ key, cert, maxHeaderSize: 64 * 1024, ...tls }, (incoming, outgoing) => {
    count += 1;
    void pass(incoming, outgoing);
  }).listen(0, '127.0.0.1');
  const plain = createPlainServer((incoming, outgoing) => {
    count += 1;
    const { plain = refused } = proxy.misdeeds;
    if (plain === 'pass') void pass(incoming, outgoing);
    else outgoing.writeHead(plain.status, plain.headers).end(plain.body);
  }).listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(plain, 'listening')]);

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    const body = await text(incoming).catch(() => '');
    const passed = { method, path: url, headers: { ...headers } };
    const seen = headers['x-forwarded-for'];
    passed.headers['x-forwarded-for'] = seen === undefined ? proxy.client : `${seen}, ${proxy.client}`;
    const instead = proxy.misdeeds.request?.(passed);
    if (instead === 'hang') return;
    if (instead === 'hang up') {
      incoming.socket.destroy();
      return;
    }
    const given = instead ?? (await forward(passed, body));
    if (instead === undefined) proxy.misdeeds.answer?.(given, passed);
    outgoing.writeHead(given.status, given.headers).end(given.body);
  }

  async function forward({ method, path, headers }: Passed, body: string): Promise<Given> {
    try {
      const forwarded = request(`${proxy.target}${path}`, { method, headers, agent: false });
      forwarded.end(body);
      const [response]: [IncomingMessage] = (await once(forwarded, 'response')) as never;
      const { connection: _, 'transfer-encoding': __, ...others } = response.headersDistinct;
      return { status: response.statusCode ?? 502, headers: { ...others }, body: await text(response) };
    } catch {
      return { status: 502, headers: {}, body: 'Bad Gateway' };
    }
  }

  const proxy: TlsProxy = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    plainPort: (plain.address() as AddressInfo).port,
    target: 'http://127.0.0.1:1',
    misdeeds: {},
    client: '198.51.100.1',
    get count() {
      return count;
    },
    async [Symbol.asyncDispose]() {
      for (const listening of [server, plain]) {
        listening.closeAllConnections();
        listening.close();
      }
    },
  };
  return proxy;
}
