import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Unavailable } from '../../../ground/faults/unavailable.ts';

/** The part that `Unavailable` names when no connection can be made. The application is not at fault then. */
export const outsidePart = 'The connection to applications';

/** A request to one address of its host. */
export interface Call {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly address: string;
  /** Milliseconds within which the address must take the connection. */
  readonly milliseconds: number;
  /** Bytes of the longest body that is read. */
  readonly mostBytes: number;
}

/** A message to the thread. Without a call, it ends the exchange. */
export interface Order {
  readonly id: number;
  readonly call?: Call;
}

/** The id of the message by which a thread tells that it can begin. */
export const readyId = 0;

/** A message of the thread. */
export interface Outcome {
  readonly id: number;
  readonly response?: {
    readonly status: number;
    readonly headers: readonly [string, string][];
    readonly body: Uint8Array<ArrayBuffer>;
  };
  readonly error?: Error;
  /** The code of the error, which the message loses otherwise. */
  readonly code?: string | undefined;
  readonly isConnected?: boolean;
}

/** Thrown if an address takes no connections. Another address of the host may. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected';
}

/** Statuses without a body (Fetch 2.2.6). */
const bodiless = new Set([204, 205, 304]);

/** The file has the ending `.ts` in the sources, and `.js` in the published package. */
const ownFile = new URL(`./outside-exchange${extname(import.meta.url)}`, import.meta.url);

/** Most megabytes for the objects of a thread, beyond which it ends. A host could send a body in very many pieces. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/**
 * Creates a thread that talks to hosts which strangers choose. Such a host can make its client compute for half a second by one certificate
 * chain or one TLS 1.2 key, which must not delay other requests. The thread starts with the first exchange.
 */
export function createOutsideThread(file = ownFile) {
  const waiting = new Map<number, PromiseWithResolvers<Response>>();
  let running: Promise<Worker> | undefined;
  let latest = 0;

  async function start(): Promise<Worker> {
    // Loaded only when there is something to fetch: TLS takes 9 MB.
    const { getCACertificates } = await import('node:tls');
    // Options of the process, such as `--input-type` or a loader, must not apply to its threads.
    const worker = new Worker(file, { execArgv: [], resourceLimits, workerData: getCACertificates('default') });
    const ready = Promise.withResolvers<void>();
    worker.on('message', (outcome: Outcome) => (outcome.id === readyId ? ready.resolve() : settle(outcome)));
    function abandon(cause: unknown): void {
      running = undefined;
      // No application is to blame: another one may have made the thread end.
      const error = new Unavailable(outsidePart, 1, cause);
      ready.reject(error);
      for (const { reject } of waiting.values()) reject(error);
      worker.removeAllListeners('exit');
    }
    worker.on('error', abandon);
    worker.on('exit', abandon);
    await ready.promise;
    // An idle thread must not keep the process alive.
    worker.unref();
    return worker;
  }

  function settle({ id, response, error, code, isConnected = false }: Outcome): void {
    const exchange = waiting.get(id);
    if (exchange === undefined) return;
    if (response !== undefined) {
      const { status, headers, body } = response;
      try {
        exchange.resolve(new Response(bodiless.has(status) ? null : body, { status, headers: [...headers] }));
      } catch (cause) {
        // Such as a status of 999, which Node reads and Fetch does not know. An error in this listener would end the process.
        exchange.reject(new Error('the response cannot be read', { cause }));
      }
    } else {
      const failure = Object.assign(error ?? new Error(), { code });
      exchange.reject(isConnected ? failure : new NotConnected('no connection', { cause: failure }));
    }
  }

  /** Starts the thread, unless it runs. On a busy machine this may take longer than an exchange may last. @throws {Unavailable} if it ends */
  function prepare(): Promise<Worker> {
    running ??= start().catch((cause: unknown) => {
      // Otherwise a thread that could not be created, for want of memory, would fail all later exchanges too.
      running = undefined;
      throw cause instanceof Unavailable ? cause : new Unavailable(outsidePart, 1, cause);
    });
    return running;
  }

  return {
    prepare,

    /** @throws {NotConnected} if the address takes no connection in time; {Error} without a complete response */
    async exchange(call: Call, signal: AbortSignal): Promise<Response> {
      const worker = await prepare();
      signal.throwIfAborted();
      latest += 1;
      const id = latest;
      const exchange = Promise.withResolvers<Response>();
      waiting.set(id, exchange);
      const stop = () => exchange.reject(signal.reason);
      signal.addEventListener('abort', stop);
      worker.postMessage({ id, call } satisfies Order);
      worker.ref();
      try {
        return await exchange.promise;
      } finally {
        signal.removeEventListener('abort', stop);
        waiting.delete(id);
        worker.postMessage({ id } satisfies Order);
        if (waiting.size === 0) worker.unref();
      }
    },
  };
}
