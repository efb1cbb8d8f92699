import { once } from 'node:events';
import { connect } from 'node:net';

/** A connection that is kept alive. One exchange at a time. */
export interface Connection {
  /** Sends one request and waits for its whole answer; gives the status. */
  exchange(request: Buffer): Promise<number>;
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
  let waiting: PromiseWithResolvers<number> | undefined;

  socket.setTimeout(silence, () => socket.destroy(new Error('the server was silent for too long')));
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const head = received.indexOf('\r\n\r\n');
    if (head === -1) return;
    const fields = received.toString('latin1', 0, head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(fields)?.[1];
    if (length === undefined) socket.destroy(new Error('an answer without Content-Length'));
    else if (received.length >= head + 4 + Number(length)) {
      received = received.subarray(head + 4 + Number(length));
      waiting?.resolve(Number(fields.slice(9, 12)));
    }
  });
  socket.on('error', (error) => waiting?.reject(error));
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')));

  return {
    exchange(request) {
      waiting = Promise.withResolvers<number>();
      socket.write(request);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}
