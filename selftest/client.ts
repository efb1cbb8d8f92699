import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

/** Most requests and connections of one run. A live server does not notice so few. */
const mostRequests = 80;

/** How many of those are reserved for ending the sessions that the run started. */
const keptForTheEnd = 6;

/** Longest body to read, in characters. An endless response must not use up memory. */
const longestBody = 2 ** 20;

/** Request headers by name. Response header names are in lower case. */
export type Headers = Readonly<Record<string, string>>;

export interface Question {
  readonly headers?: Headers;
  readonly body?: string;
  /** The origin of another server, such as the same host without TLS. */
  readonly origin?: string;
  /** A proxy may answer this request itself. Such an answer does not count as one of Janua's. */
  readonly mayBeTheProxys?: boolean;
  /** The request ends a session of this run. It is sent even when no other request may be sent. */
  readonly isTheEnd?: boolean;
}

export interface Answer {
  /** For example `GET /auth/login`. */
  readonly route: string;
  readonly status: number;
  readonly body: string;
  /** The first line of a header, by its lower-case name. */
  header(name: string): string | undefined;
  /** All lines of a header. */
  lines(name: string): readonly string[];
  /** The members of the body if it is a JSON object with a JSON content type, otherwise none. */
  members(): Readonly<Record<string, unknown>>;
}

/** An HTTP client for black-box tests. It knows nothing about the server. */
export interface Client {
  /** Scheme, host and port of the tested server. */
  readonly origin: string;
  readonly https: boolean;
  /** All answers of Janua so far. */
  readonly answers: readonly Answer[];
  /** The number of requests and connections so far. */
  readonly count: number;
  /**
   * Sends one request on its own connection, and follows no redirect.
   * @param route such as `GET /auth/login`
   * @throws {NoAnswer}
   */
  ask(route: string, question?: Question): Promise<Answer>;
  /** Opens a TLS connection and closes it again. @throws {NoAnswer} */
  shakeHands<T>(options: ConnectionOptions, look: (socket: TLSSocket) => T): Promise<T>;
}

const noAnswer = (milliseconds: number) => new Error(`no answer within ${milliseconds / 1000} s`);

/** The server sent no HTTP response in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly route: string;
  /** The error code of the system, of TLS or of Node's parser, such as `ECONNREFUSED`; empty if there is none. */
  readonly code: string;

  constructor(route: string, cause: unknown) {
    // A host with several addresses causes one error for each.
    const first = cause instanceof AggregateError ? cause.errors[0] : cause;
    super(first instanceof Error ? first.message : String(first), { cause });
    this.route = route;
    this.code = first instanceof Error && 'code' in first ? String(first.code) : '';
  }
}

export interface ClientOptions {
  readonly origin: string;
  /** Certificates of the trusted authorities, in PEM. */
  readonly authorities: readonly string[];
  /** Time limit of one request, in milliseconds. */
  readonly timeoutMilliseconds: number;
  /** Aborts all requests except those that end sessions. */
  readonly signal?: AbortSignal | undefined;
}

export function createClient({ origin, authorities, timeoutMilliseconds, signal }: ClientOptions): Client {
  const answers: Answer[] = [];
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  let count = 0;

  /** Counts a request, and returns the signal that aborts it. */
  function begin(route: string, isTheEnd = false): AbortSignal {
    if (!isTheEnd && signal?.aborted) throw new NoAnswer(route, new Error('it was stopped'));
    if (count >= mostRequests - (isTheEnd ? 0 : keptForTheEnd))
      throw new NoAnswer(route, new Error(`it was not sent: ${count} requests are enough for one run`));
    count += 1;
    const late = AbortSignal.timeout(timeoutMilliseconds);
    return signal === undefined || isTheEnd ? late : AbortSignal.any([late, signal]);
  }

  const failed = (route: string, ending: AbortSignal, error: unknown) =>
    new NoAnswer(route, ending.aborted && !signal?.aborted ? noAnswer(timeoutMilliseconds) : error);

  return {
    origin,
    https: protocol === 'https:',
    answers,
    get count() {
      return count;
    },

    async ask(route, question = {}) {
      const ending = begin(route, question.isTheEnd);
      try {
        const url = new URL(question.origin ?? origin);
        const answer = await exchange(url, route, question, authorities, ending);
        const isJanuas = question.origin === undefined && !question.mayBeTheProxys;
        if (isJanuas || (question.origin === undefined && answer.header('x-request-id') !== undefined))
          answers.push(answer);
        return answer;
      } catch (error) {
        throw failed(route, ending, error);
      }
    },

    async shakeHands(options, look) {
      const ending = begin('TLS');
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const socket = connect({
        host,
        port: Number(port || 443),
        servername: servernameOf(new URL(origin)),
        ca: [...authorities],
        ...options,
      });
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      // A server that closes silently causes neither of the two events.
      socket.once('close', () => reject(new Error('the connection was closed')));
      ending.addEventListener('abort', () => socket.destroy(noAnswer(timeoutMilliseconds)), { once: true });
      try {
        await promise;
        return look(socket);
      } catch (error) {
        throw failed('TLS', ending, error);
      } finally {
        // Later errors do not matter.
        socket.on('error', () => {});
        socket.destroy();
      }
    },
  };
}

async function exchange(
  url: URL,
  route: string,
  { headers = {}, body = '' }: Question,
  authorities: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ', 2);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const length = method === 'POST' ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  const options = {
    method,
    path,
    // No agent: a response that ends its connection must not affect another request.
    agent: false as const,
    headers: { 'user-agent': 'janua selftest', connection: 'close', ...length, ...headers },
    signal,
  };
  const sent =
    url.protocol === 'https:'
      ? requestTls(url, { ...options, ca: [...authorities], servername: servernameOf(url) })
      : requestPlain(url, options);
  sent.on('response', resolve);
  // Also after the response: a server may answer a large request before it is sent completely, and close the connection.
  sent.on('error', reject);
  sent.end(body);

  const response = await promise;
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) {
    text += chunk;
    if (text.length > longestBody) break;
  }
  return createAnswer(route, response, text);
}

/** Node would otherwise take it from a forged Host, and refuse the certificate. An address is not a server name (RFC 6066 3). */
const servernameOf = ({ hostname }: URL) => (isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '');

function createAnswer(route: string, response: IncomingMessage, body: string): Answer {
  const { statusCode: status = 0, headersDistinct } = response;
  const lines = (name: string) => headersDistinct[name] ?? [];
  return {
    route,
    status,
    body,
    header: (name) => lines(name)[0],
    lines,
    members() {
      if (!/^application\/json\b/i.test(lines('content-type')[0] ?? '')) return {};
      try {
        const parsed: unknown = JSON.parse(body);
        return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
      } catch {
        return {};
      }
    },
  };
}
