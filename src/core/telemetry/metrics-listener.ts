import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listeningFault } from '../../ground/faults/listening-fault.ts';

/** `import` is avoided for the reason given in `src/web/problem.ts`. */
const { createServer } = process.getBuiltinModule('node:http');

const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** How long a client may take to send its request, and to continue reading. */
const clientMilliseconds = 5000;

/** Further connections are closed at once. Few programs read figures, and each slow reader keeps a copy of them in memory. */
const mostConnections = 32;

export type MetricsListener = Awaited<ReturnType<typeof listenForMetrics>>;

/** Its address can be one that no client reaches. @throws {Misconfiguration} when the address cannot be listened on */
export async function listenForMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  readMetrics: () => Promise<string>,
) {
  const timeouts = { requestTimeout: clientMilliseconds, headersTimeout: clientMilliseconds };
  const server = createServer({ ...timeouts, connectionsCheckingInterval: 1000 }, (request, response) => {
    answer(request, response, readMetrics).catch(() => response.writeHead(500).end());
  });
  server.maxConnections = mostConnections;
  server.setTimeout(clientMilliseconds);
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw listeningFault(error, `METRICS_LISTEN: ${host}`, port, 'Choose another in METRICS_LISTEN.');
  }
  // A scrape does not delay the end of the process.
  server.unref();
  const bound = server.address() as AddressInfo;
  const shownHost = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    url: `http://${shownHost}:${bound.port}/metrics`,
    [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      return server[Symbol.asyncDispose]();
    },
  };
}

async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  readMetrics: () => Promise<string>,
): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff');
  if (url?.split('?', 1)[0] !== '/metrics') return void response.writeHead(404).end();
  if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  const text = await readMetrics();
  response.writeHead(200, { 'content-type': contentType }).end(text);
}
