import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** A proxy between Janua and a store that imitates a bad network. It passes everything at first. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Passes everything without a delay, held bytes first. */
  pass(): void;
  /** Passes everything, but delays bytes from the server by these milliseconds. */
  delay(milliseconds: number): void;
  /** Accepts connections, but passes nothing in either direction. The next `pass()` delivers held bytes. */
  hold(): void;
  /** Resets all connections, and new ones at once, until the next `pass()`. */
  cut(): void;
  /** Resets the open connections, and passes new ones as before. */
  resetOnce(): void;
}

/** A reset in the middle of an orderly end would leave a handle for whose closing the process waits for ever. */
const reset = (socket: Socket) => (socket.writableEnded ? socket.destroy() : socket.resetAndDestroy());

/** Starts a proxy for the server at that port, of this machine or of another. */
export async function startProxy(targetPort: number, targetHost = '127.0.0.1'): Promise<Proxy> {
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
    const target = connect({ host: targetHost, port: targetPort, allowHalfOpen: true, noDelay: true });
    forward(client, target, () => 0);
    forward(target, client, () => delayed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function forward(from: Socket, to: Socket, latency: () => number): void {
    let passed = Promise.resolve();
    /** Passes chunks in their order, each with its delay. */
    function passOn(deliver: () => void): void {
      const due = performance.now() + latency();
      passed = passed.then(async () => {
        const early = due - performance.now();
        if (early > 0) await setTimeout(early, undefined, { ref: false });
        await held.promise;
        deliver();
      });
    }
    open.add(from);
    from.on('data', (chunk) => passOn(() => to.write(chunk)));
    from.on('end', () => passOn(() => to.end()));
    // A reset on one side becomes a reset on the other.
    from.on('error', () => passOn(() => reset(to)));
    from.on('close', () => open.delete(from));
  }

  function resetAll(): void {
    open.forEach(reset);
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
