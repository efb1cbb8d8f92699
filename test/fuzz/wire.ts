import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * A client that sends bytes unchanged and reads answers strictly. Node's own client would correct requests and tolerate
 * wrong answers. Both sides hold bytes as text with one character each (latin1).
 */
export interface Answer {
  readonly status: number;
  /** In the order of their arrival, with names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Milliseconds within which a server has to answer everything and close. */
export const patience = 10_000;

/** An open connection that keeps everything that the server sends. */
export interface Connection extends Disposable {
  readonly socket: Socket;
  send(bytes: string): void;
  /** Everything until the server closes the connection. @throws if it stays open for longer than `patience` */
  rest(): Promise<string>;
}

export async function open(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const received: Buffer[] = [];
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('end', resolve).on('close', resolve);
    // The server may close the connection while we still send a body that it refuses.
    socket.on('error', () => resolve());
  });
  await once(socket, 'connect');
  return {
    socket,
    send: (bytes) => void socket.write(bytes, 'latin1'),
    async rest() {
      const { promise, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(new Error(`the connection stayed open for ${patience} ms`)), patience);
      try {
        await Promise.race([ended, promise]);
      } finally {
        clearTimeout(timer);
        socket.destroy();
      }
      return Buffer.concat(received).toString('latin1');
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Sends bytes and gives everything until the server closes. Our side leaves the connection open. */
export async function exchange(port: number, bytes: string): Promise<string> {
  using connection = await open(port);
  connection.send(bytes);
  return await connection.rest();
}

/**
 * Parses all bytes from a server, without interim answers (1xx).
 * @param mayBeBodiless whether the first answer may be one to HEAD, with a length but without a body
 * @throws for invalid HTTP/1.1, or a length that does not match its body
 */
export function parseAnswers(bytes: string, mayBeBodiless = false): Answer[] {
  const answers: Answer[] = [];
  let rest = bytes;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    if (end === -1 || Number.isNaN(status)) throw new Error(`not an answer: ${JSON.stringify(rest.slice(0, 200))}`);
    const headers = lines.map(parseField);
    rest = rest.slice(end + 4);
    const interim = status < 200;
    const empty = interim || status === 204 || status === 304 || (mayBeBodiless && answers.length === 0 && rest === '');
    const { body, after } = empty ? { body: '', after: rest } : takeBody(headers, rest);
    rest = after;
    if (!interim) answers.push({ status, headers, body });
  }
  return answers;
}

function parseField(line: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a field: ${JSON.stringify(line)}`);
  return [name.toLowerCase(), value];
}

function takeBody(headers: Answer['headers'], rest: string): { body: string; after: string } {
  const lengths = headers.filter(([name]) => name === 'content-length').map(([, value]) => value);
  if (headers.some(([name]) => name === 'transfer-encoding')) {
    if (lengths.length > 0) throw new Error('both a length and chunks');
    return takeChunks(rest);
  }
  const [length = ''] = lengths;
  if (lengths.length !== 1 || !/^\d+$/.test(length)) throw new Error(`lengths: ${lengths.join()}`);
  if (rest.length < Number(length)) throw new Error(`a body of ${rest.length} bytes, with Content-Length ${length}`);
  return { body: rest.slice(0, Number(length)), after: rest.slice(Number(length)) };
}

function takeChunks(bytes: string): { body: string; after: string } {
  let body = '';
  let rest = bytes;
  for (;;) {
    const size = /^([\da-f]+)\r\n/i.exec(rest);
    if (size?.[1] === undefined) throw new Error(`not a chunk: ${JSON.stringify(rest.slice(0, 50))}`);
    const length = Number.parseInt(size[1], 16);
    const start = size[0].length;
    if (rest.slice(start + length, start + length + 2) !== '\r\n')
      throw new Error('a chunk does not have its announced length');
    body += rest.slice(start, start + length);
    rest = rest.slice(start + length + 2);
    if (length === 0) return { body, after: rest };
  }
}
