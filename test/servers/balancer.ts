import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** A load balancer before several processes. It takes turns, and uses only processes that report ready. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** The URLs of the processes. Their readiness is checked every `healthInterval`. */
  setBackends(urls: readonly string[]): Promise<void>;
  /** The processes that were ready at the last check. */
  readonly ready: readonly string[];
}

/** Milliseconds between two checks of readiness. */
const healthInterval = 50;

export async function startBalancer(): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true });
  let backends: readonly string[] = [];
  let ready: readonly string[] = [];
  let turn = 0;

  const server = createServer((incoming, outgoing) => {
    const backend = ready[turn++ % ready.length];
    if (backend === undefined) outgoing.writeHead(502).end();
    else forward(backend, incoming, outgoing);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function forward(backend: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, url, headers } = incoming;
    const forwarded = request(`${backend}${url}`, { method, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
      answer.once('error', () => outgoing.destroy());
    });
    // A request at a process that died may have been handled. It must not be sent again.
    forwarded.once('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
    incoming.pipe(forwarded);
  }

  async function look(): Promise<void> {
    const states = await Promise.all(backends.map(isReady));
    ready = backends.filter((_, index) => states[index]);
  }

  const over = new AbortController();
  const looking = (async () => {
    while (!over.signal.aborted) {
      await look();
      await setTimeout(healthInterval, undefined, { signal: over.signal }).catch(() => {});
    }
  })();

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get ready() {
      return ready;
    },
    async setBackends(urls) {
      backends = urls;
      await look();
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await looking;
      agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

async function isReady(backend: string): Promise<boolean> {
  try {
    const answer = await fetch(`${backend}/health/ready`, { signal: AbortSignal.timeout(1000) });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    return false;
  }
}
