import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

/** Most requests and connections of one run: a live server does not notice. */
const mostRequests = 80;

/** Of those, how many are left for ending the sessions that were started. */
const keptForTheEnd = 6;

/** Longest body that is read, in characters; an answer that never ends costs no memory. */
const longestBody = 2 ** 20;

/** Headers of a request by their names, and the names of an answer's in lower case. */
export type Headers = Readonly<Record<string, string>>;

export interface Question {
  readonly headers?: Headers;
  readonly body?: string;
  /** Another server than the one that is tested, as the same without TLS. */
  readonly origin?: string;
  /** A proxy may answer this by itself: such an answer is not among those of Janua. */
  readonly mayBeTheProxys?: boolean;
  /** It ends what was started, and is sent also when no other may be. */
  readonly isTheEnd?: boolean;
}

export interface Answer {
  /** As `GET /auth/login`. */
  readonly route: string;
  readonly status: number;
  readonly body: string;
  /** The first line of a header, by its name in lower case. */
  header(name: string): string | undefined;
  /** All lines of a header. */
  lines(name: string): readonly string[];
  /** The members of the body, where it is a JSON object and says so; else none. */
  members(): Readonly<Record<string, unknown>>;
}

/** A black box's other side: it knows HTTP, and nothing of what answers. */
export interface Client {
  /** Scheme, host and port of what is tested. */
  readonly origin: string;
  readonly https: boolean;
  /** Every answer of Janua so far. */
  readonly answers: readonly Answer[];
  /** Requests and connections so far. */
  readonly count: number;
  /**
   * Sends one request, on a connection of its own, and follows no redirect.
   * @param route as `GET /auth/login`
   * @throws {NoAnswer}
   */
  ask(route: string, question?: Question): Promise<Answer>;
  /** Opens a TLS connection and closes it again. @throws {NoAnswer} */
  shakeHands<T>(options: ConnectionOptions, look: (socket: TLSSocket) => T): Promise<T>;
}

const noAnswer = (milliseconds: number) => new Error(`no answer within ${milliseconds / 1000} s`);

/** There was none in time, or none that is HTTP. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly route: string;
  /** Of the system, of TLS or of Node's parser, as `ECONNREFUSED`; empty where there is none. */
  readonly code: string;

  constructor(route: string, cause: unknown) {
    // A host with several addresses gives one error for each.
    const first = cause instanceof AggregateError ? cause.errors[0] : cause;
    super(first instanceof Error ? first.message : String(first), { cause });
    this.route = route;
    this.code = first instanceof Error && 'code' in first ? String(first.code) : '';
  }
}

export interface ClientOptions {
  readonly origin: string;
  /** Certificates of the authorities that are trusted, in PEM. */
  readonly authorities: readonly string[];
  /** Longest that one request may take, in milliseconds. */
  readonly patience: number;
  /** Ends all that is under way, but for what ends the sessions. */
  readonly signal?: AbortSignal | undefined;
}

export function createClient({ origin, authorities, patience, signal }: ClientOptions): Client {
  const answers: Answer[] = [];
  const { protocol, hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  let count = 0;

  /** Counts a request, and gives what ends it. */
  function begin(route: string, isTheEnd = false): AbortSignal {
    if (!isTheEnd && signal?.aborted) throw new NoAnswer(route, new Error('it was stopped'));
    if (count >= mostRequests - (isTheEnd ? 0 : keptForTheEnd))
      throw new NoAnswer(route, new Error(`it was not sent: ${count} requests are enough for one run`));
    count += 1;
    const late = AbortSignal.timeout(patience);
    return signal === undefined || isTheEnd ? late : AbortSignal.any([late, signal]);
  }

  const failed = (route: string, ending: AbortSignal, error: unknown) =>
    new NoAnswer(route, ending.aborted && !signal?.aborted ? noAnswer(patience) : error);

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
      // A server that closes without a word gives neither of the two.
      socket.once('close', () => reject(new Error('the connection was closed')));
      ending.addEventListener('abort', () => socket.destroy(noAnswer(patience)), { once: true });
      try {
        await promise;
        return look(socket);
      } catch (error) {
        throw failed('TLS', ending, error);
      } finally {
        // What comes after this is nobody's concern.
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
    // No agent: an answer that ends its connection spoils no other.
    agent: false as const,
    headers: { 'user-agent': 'janua selftest', connection: 'close', ...length, ...headers },
    signal,
  };
  const sent =
    url.protocol === 'https:'
      ? requestTls(url, { ...options, ca: [...authorities], servername: servernameOf(url) })
      : requestPlain(url, options);
  sent.on('response', resolve);
  // Also later: what is too large is answered before it is sent to the end, and the connection is closed.
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

/** Else Node would take it from a forged Host, and refuse the certificate. An address is none (RFC 6066 3). */
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
