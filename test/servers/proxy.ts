import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** Stands between Janua and a store, and does what a network does at its worst. It passes everything at first. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Passes everything at once, and what was held before it. */
  pass(): void;
  /** Passes everything, but what the server sends comes later by these milliseconds. */
  delay(milliseconds: number): void;
  /** Takes connections, and passes nothing either way; what was sent meanwhile comes with the next `pass()`. */
  hold(): void;
  /** Resets all connections, and new ones as soon as they come, until the next `pass()`. */
  cut(): void;
  /** Resets those connections that are open now, and goes on as before. */
  resetOnce(): void;
}

/** Starts a proxy for the server at that port of this machine. */
export async function startProxy(targetPort: number): Promise<Proxy> {
  const open = new Set<Socket>();
  let refusing = false;
  let delayed = 0;
  let held = Promise.withResolvers<void>();
  held.resolve();

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (refusing) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const target = connect({ host: '127.0.0.1', port: targetPort, allowHalfOpen: true, noDelay: true });
    forward(client, target, () => 0);
    forward(target, client, () => delayed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function forward(from: Socket, to: Socket, latency: () => number): void {
    let passed = Promise.resolve();
    /** In the order of their coming, each as late as it has to be. */
    function passOn(deliver: () => void): void {
      const due = performance.now() + latency();
      passed = passed.then(async () => {
        const early = due - performance.now();
        if (early > 0) await setTimeout(early);
        await held.promise;
        deliver();
      });
    }
    open.add(from);
    from.on('data', (chunk) => passOn(() => to.write(chunk)));
    from.on('end', () => passOn(() => to.end()));
    // An end that was no orderly one is none on the other side either.
    from.on('error', () => passOn(() => to.resetAndDestroy()));
    from.on('close', () => open.delete(from));
  }

  function resetAll(): void {
    for (const socket of open) socket.resetAndDestroy();
  }

  function pass(): void {
    refusing = false;
    delayed = 0;
    held.resolve();
  }

  return {
    port: (server.address() as AddressInfo).port,
    pass,
    delay(milliseconds) {
      pass();
      delayed = milliseconds;
    },
    hold() {
      pass();
      held = Promise.withResolvers();
    },
    cut() {
      pass();
      refusing = true;
      resetAll();
    },
    resetOnce: resetAll,
    async [Symbol.asyncDispose]() {
      pass();
      resetAll();
      server.close();
      await once(server, 'close');
    },
  };
}
