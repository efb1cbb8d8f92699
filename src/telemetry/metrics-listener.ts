import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Misconfiguration } from '../faults/misconfiguration.ts';

/** Not by `import`: as in `src/web/problem.ts`. */
const { createServer } = process.getBuiltinModule('node:http');

const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** Milliseconds that a connection may take, until its answer has been read. */
const patience = 5000;

/** Who looks at figures are few. More are turned away, so that what is not read of their answers stays little. */
const mostConnections = 32;

/** A server of its own for `GET /metrics`, so that its address can be one that no client reaches. */
export interface MetricsListener extends AsyncDisposable {
  readonly url: string;
}

/**
 * @param readMetrics gives all figures in Prometheus' text format
 * @throws {Misconfiguration} when the address cannot be listened on
 */
export async function listenForMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  readMetrics: () => Promise<string>,
): Promise<MetricsListener> {
  let reading: Promise<string> | undefined;
  /** Those who ask at the same time are told the same. */
  function readOnce(): Promise<string> {
    reading ??= readMetrics().finally(() => {
      reading = undefined;
    });
    return reading;
  }
  const answered = new WeakSet<Socket>();
  const server = createServer((request, response) => {
    const { socket } = request;
    // One answer a connection: whoever sends more requests, and reads nothing, would have us keep an answer for each.
    if (answered.has(socket)) return void socket.destroy();
    answered.add(socket);
    response.setHeader('connection', 'close');
    answer(request, response, readOnce).catch(() => response.writeHead(500).end());
  });
  server.maxConnections = mostConnections;
  server.on('connection', (socket: Socket) => {
    const limit = setTimeout(() => socket.destroy(), patience);
    socket.once('close', () => clearTimeout(limit));
  });
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw listeningFault(error, port);
  }
  // Nobody may have to wait for a scrape to end.
  server.unref();
  return { url: urlOf(server), [Symbol.asyncDispose]: () => close(server) };
}

async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  readMetrics: () => Promise<string>,
): Promise<void> {
  if (url?.split('?', 1)[0] !== '/metrics') response.writeHead(404).end();
  else if (method !== 'GET' && method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD' }).end();
  else {
    const text = await readMetrics();
    response.writeHead(200, { 'content-type': contentType, 'x-content-type-options': 'nosniff' }).end(text);
  }
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`;
}

async function close(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}

function listeningFault(error: unknown, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return new Misconfiguration(`METRICS_LISTEN: Port ${port} is in use already. Choose another.`);
    case 'EACCES':
      return new Misconfiguration(`METRICS_LISTEN: Port ${port} may not be used by this account.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Misconfiguration('METRICS_LISTEN: The host is not an address of this machine.');
    default:
      return error;
  }
}
