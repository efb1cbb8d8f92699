// A thread that talks to hosts which strangers choose (`outside-thread.ts`).
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as sendPlain } from 'node:http';
import { request as sendEncrypted } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { DEFAULT_CIPHERS, setDefaultCACertificates } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { lowerPriority } from '../../../ground/faults/low-priority.ts';
import { type Call, type Order, type Outcome, readyId } from './outside-thread.ts';

lowerPriority();

// The process, or the app that has mounted Janua, may trust further authorities.
setDefaultCACertificates(workerData);

/** Without finite-field Diffie-Hellman, whose group the host chooses: 10,000 bits take 0.8 s. */
const ciphers = `${DEFAULT_CIPHERS}:!kDHE`;

const running = new Map<number, AbortController>();

parentPort?.on('message', async ({ id, call }: Order) => {
  if (call === undefined) return running.get(id)?.abort();
  const aborting = new AbortController();
  running.set(id, aborting);
  const outcome = await exchange(call, aborting.signal);
  running.delete(id);
  parentPort?.postMessage({ id, ...outcome } satisfies Outcome);
});

parentPort?.postMessage({ id: readyId } satisfies Outcome);

/** Most interim responses (RFC 9110 15.2) of a host. Each would take the time of the thread. */
const mostInterim = 8;

async function exchange(call: Call, signal: AbortSignal): Promise<Omit<Outcome, 'id'>> {
  const { url, method, headers, body, address, milliseconds, mostBytes } = call;
  const family = isIP(address);
  const pinned: LookupFunction = (_host, { all }, done) =>
    all ? done(null, [{ address, family }]) : done(null, address, family);
  let isConnected = false;
  try {
    const send = url.startsWith('https:') ? sendEncrypted : sendPlain;
    // A connection of its own, because the thread's other connections are to other addresses.
    const sent: ClientRequest = send(url, { method, headers, lookup: pinned, agent: false, ciphers, signal });
    const timer = setTimeout(() => sent.destroy(new Error(`${address} takes no connection`)), milliseconds);
    sent.once('socket', (socket) =>
      socket.once('connect', () => {
        isConnected = true;
        clearTimeout(timer);
      }),
    );
    sent.once('close', () => clearTimeout(timer));
    // An error without a listener would end the thread. `once` or the response reports the error.
    sent.on('error', () => {});
    sent.end(body);
    sent.once('upgrade', (_response, socket) => socket.destroy());
    let interim = 0;
    sent.on('information', () => {
      interim += 1;
      if (interim > mostInterim) sent.destroy(new Error('the host sends too many interim responses'));
    });
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage];
    return { response: await read(response, mostBytes, signal) };
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    return { error: failure, code: failure.code, isConnected: isConnected || signal.aborted };
  }
}

async function read(response: IncomingMessage, mostBytes: number, signal: AbortSignal) {
  const { statusCode: status = 0, headersDistinct, socket } = response;
  const headers = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  const hasLength = 'content-length' in headersDistinct || 'transfer-encoding' in headersDistinct;
  const body = await readBody(response, mostBytes);
  // Without a length, a body ends with its connection (RFC 9112 6.3). Node then returns a partial body, even if the connection broke.
  signal.throwIfAborted();
  if (!hasLength && socket.errored) throw socket.errored;
  return { status, headers, body };
}

/** Copies each piece at once: a host may send each byte as a piece, and each would take the memory of an object until the end. */
async function readBody(response: IncomingMessage, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = Buffer.alloc(mostBytes);
  let size = 0;
  response.on('data', (piece: Buffer) => {
    // The error closes the connection.
    if (size + piece.length > mostBytes) response.destroy(new Error(`the response has more than ${mostBytes} bytes`));
    else size += piece.copy(body, size);
  });
  await once(response, 'end');
  return new Uint8Array(body.subarray(0, size));
}
