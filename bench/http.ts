import { once } from 'node:events';
import { connect } from 'node:net';

/** Formats whole HTTP requests in advance, so that sending them costs the client almost nothing. */
export const getRequest = (path: string, ...fields: string[]) => format('GET', path, fields);

export const postRequest = (path: string, body: object, ...fields: string[]) =>
  format('POST', path, ['Content-Type: application/json', ...fields], JSON.stringify(body));

export const postForm = (path: string, body: Readonly<Record<string, string>>, ...fields: string[]) =>
  format(
    'POST',
    path,
    ['Content-Type: application/x-www-form-urlencoded', ...fields],
    new URLSearchParams(body).toString(),
  );

export const loginRequest = (username: string, password: string, path = '/api/login', ...fields: string[]) =>
  postRequest(path, { username, password }, ...fields);

function format(method: string, path: string, fields: readonly string[], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...fields, ...length, '', body].join('\r\n');
}

export interface Answer {
  readonly status: number;
  /** The status line and the fields. */
  readonly head: string;
  readonly body: Buffer;
}

/** The values of a field. @param name in lower case */
export const fieldsOf = (head: string, name: string): string[] =>
  head
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());

/** Formats the cookies of a response as a field of a request, without their attributes. */
export const cookieField = ({ head }: Answer) =>
  `Cookie: ${fieldsOf(head, 'set-cookie')
    .map((cookie) => cookie.split(';')[0])
    .join('; ')}`;

/** A persistent connection. It allows one exchange at a time. */
export interface Connection extends Disposable {
  /** Sends one request and waits for its whole response. */
  exchange(request: Buffer): Promise<Answer>;
}

/** Milliseconds without data after which the connection fails. */
const silence = 30_000;

/**
 * Opens a connection of a minimal HTTP/1.1 client. On two cores an expensive client would keep the server waiting, and a server that waits
 * handles requests one by one, at a higher cost for each.
 * It accepts only responses with a Content-Length or in chunks.
 */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  let received: Buffer = Buffer.alloc(0);
  let waiting: PromiseWithResolvers<Answer> | undefined;

  socket.setTimeout(silence, () => socket.destroy(new Error('the server was silent for too long')));
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    try {
      const whole = readAnswer(received);
      if (whole === undefined) return;
      received = received.subarray(whole.end);
      waiting?.resolve(whole.answer);
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
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
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** Exchanges one request on a connection of its own. */
export async function exchangeOnce(port: number, request: string): Promise<Answer> {
  using connection = await openConnection(port);
  return await connection.exchange(Buffer.from(request));
}

/** Reads the first response in these bytes, with its end. Undefined while it is incomplete. */
function readAnswer(bytes: Buffer): { readonly answer: Answer; readonly end: number } | undefined {
  const bodyStart = bytes.indexOf('\r\n\r\n') + 4;
  if (bodyStart === 3) return undefined;
  const head = bytes.toString('latin1', 0, bodyStart - 4);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = bodyStart + Number(length);
    return bytes.length < end ? undefined : { answer: { status, head, body: bytes.subarray(bodyStart, end) }, end };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error('the response has no length');
  const chunks: Buffer[] = [];
  for (let start = bodyStart; ; ) {
    const lineEnd = bytes.indexOf('\r\n', start);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', start, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error('a chunk of the response has no size');
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { answer: { status, head, body: Buffer.concat(chunks) }, end };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    start = end;
  }
}
