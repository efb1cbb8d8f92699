import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { listeningFault } from '../../ground/faults/listening-fault.ts';
import { bareHost, longestHost } from '../../ground/text/networks.ts';

/** Not imported: `import` reads every export, and the WebSocket export loads a client that takes 4 MB. */
const { createServer } = process.getBuiltinModule('node:http');

const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** Milliseconds that a client may take to send its request, and to continue reading. */
const clientMilliseconds = 5000;

/**
 * The most connections. Further ones are closed at once, because few programs read metrics, and each slow reader keeps a copy of them in
 * memory.
 */
const mostConnections = 32;

export type MetricsListener = Awaited<ReturnType<typeof listenForMetrics>>;

/**
 * Serves the metrics on an address of their own, which can be one that no client reaches.
 * @throws {Misconfiguration} when the server cannot listen on the address
 */
export async function listenForMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  readMetrics: () => Promise<string>,
) {
  const timeouts = { requestTimeout: clientMilliseconds, headersTimeout: clientMilliseconds };
  const server = createServer({ ...timeouts, connectionsCheckingInterval: 1000 }, (request, response) => {
    answer(request, response, readMetrics, host).catch(() => response.writeHead(500).end());
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
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
  readMetrics: () => Promise<string>,
  listenHost: string,
): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff');
  if (url?.split('?', 1)[0] !== '/metrics') return void response.writeHead(404).end();
  if (!isOurHost(headers.host, listenHost)) return void response.writeHead(421).end();
  if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  const text = await readMetrics();
  response.writeHead(200, { 'content-type': contentType }).end(text);
}

/**
 * Tells whether a request names this server. A page of another site could let its own name resolve to our address, and read the metrics
 * through a browser in this network (DNS rebinding). The page cannot use an IP address, a name without a dot, which no site has, or the
 * name that the operator wrote. Only programs send no `Host`.
 */
function isOurHost(header: string | undefined, listenHost: string): boolean {
  if (header === undefined) return true;
  const name = header.length > longestHost ? '.' : bareHost(URL.parse(`http://${header}`)?.hostname ?? '.');
  return isIP(name) !== 0 || !name.includes('.') || name.endsWith('.localhost') || name === listenHost.toLowerCase();
}
