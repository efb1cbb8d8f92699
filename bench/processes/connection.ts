import { once } from 'node:events';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  /** The status line and the fields. */
  readonly head: string;
  readonly body: Buffer;
}

/** A connection that is kept alive. One exchange at a time. */
export interface Connection {
  /** Sends one request and waits for its whole answer. */
  exchange(request: Buffer): Promise<Answer>;
  close(): void;
}

/** Longest silence of a server, in milliseconds. */
const silence = 30_000;

/**
 * An HTTP/1.1 client that does next to nothing: on two cores a costly one would keep the server waiting, and a server
 * that waits takes its requests one by one and pays more for each.
 * It takes answers with a Content-Length only, which are those that are measured.
 */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  let received: Buffer = Buffer.alloc(0);
  let waiting: PromiseWithResolvers<Answer> | undefined;

  socket.setTimeout(silence, () => socket.destroy(new Error('the server was silent for too long')));
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const bodyStart = received.indexOf('\r\n\r\n') + 4;
    if (bodyStart === 3) return;
    const head = received.toString('latin1', 0, bodyStart - 4);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const bodyEnd = bodyStart + Number(length);
    if (length === undefined) socket.destroy(new Error('an answer without Content-Length'));
    else if (received.length >= bodyEnd) {
      const body = received.subarray(bodyStart, bodyEnd);
      received = received.subarray(bodyEnd);
      waiting?.resolve({ status: Number(head.slice(9, 12)), head, body });
    }
  });
  socket.on('error', (error) => waiting?.reject(error));
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')));

  return {
    exchange(request) {
      waiting = Promise.withResolvers<Answer>();
      socket.write(request);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}
