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

/** What a proxy does beside its work. A good one does nothing. */
export interface Misdeeds {
  /** Changes what is passed on. What it gives is answered instead; `hang` answers nothing, and `hang up` closes the connection. */
  readonly request?: (passed: Passed) => Given | 'hang' | 'hang up' | undefined;
  /** Changes what came back. */
  readonly answer?: (given: Given, passed: Passed) => void;
  /** What plain HTTP is answered with; `pass` passes it on as if it were HTTPS. */
  readonly plain?: Given | 'pass';
}

/** A TLS proxy as it stands before Janua, with a plain port beside it. */
export interface TlsProxy extends AsyncDisposable {
  readonly url: string;
  readonly plainPort: number;
  /** Where it passes requests on to. */
  target: string;
  misdeeds: Misdeeds;
  /** Whom it says that it saw: an address of a documentation network, since no test comes from elsewhere. */
  client: string;
  /** Requests by HTTPS and plain. */
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
