import type { Operation } from './document.ts';

/** A request in parts. Every text holds bytes, one in each character. */
export interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly Field[];
  readonly body: string | undefined;
  /** Whether the body comes in chunks, and not with its length. */
  readonly chunked: boolean;
}

export type Field = readonly [name: string, value: string];

/** The bytes of a text in UTF-8. */
export const bytesOf = (text: string) => Buffer.from(text).toString('latin1');

/** Percent-encodes everything but letters and digits, for a query or a form. */
export const encoded = (text: string) =>
  bytesOf(text).replace(/[^a-z\d]/gi, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** The request as bytes. Its length comes first, so that an answer is due whatever a value does to the head. */
export function written({ method, target, headers, body, chunked }: Request): string {
  const length: Field[] = chunked
    ? [['Transfer-Encoding', 'chunked']]
    : body === undefined
      ? []
      : [['Content-Length', String(body.length)]];
  const fields: Field[] = [['Host', 'localhost'], ['Connection', 'close'], ...length, ...headers];
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${target} HTTP/1.1\r\n${head}\r\n${chunked ? inChunks(body ?? '') : (body ?? '')}`;
}

function inChunks(body: string): string {
  const middle = Math.floor(body.length / 2);
  const chunks = [body.slice(0, middle), body.slice(middle)].filter((part) => part !== '');
  return `${chunks.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
}

/** Whether the request is valid HTTP/1.1 of a usual size, so that a route answers it and not the parser. */
export function isHttp(request: Request): boolean {
  const { method, target, headers } = request;
  const head = written({ ...request, body: undefined, chunked: false });
  return (
    /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method) &&
    /^(\/|https?:\/\/[a-z][\w.-]*(\/|$))[\x21\x22\x24-\x7e]*$/.test(target) &&
    headers.every(([name, value]) => /^[\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)) &&
    headers.every(([name]) => !['expect', 'host', 'upgrade'].includes(name.toLowerCase())) &&
    head.length < 16_000
  );
}

/** A value under a name. A `verbatim` value is neither escaped nor converted to JSON. */
export interface Entry {
  readonly name: string;
  readonly value: unknown;
  readonly verbatim?: boolean;
}

/** Writes a body of a documented type. A name may occur several times. */
export const writers: Readonly<Record<string, (entries: readonly Entry[]) => string>> = {
  'application/x-www-form-urlencoded': formOf,
  'application/json': (entries) =>
    `{${entries
      .map(({ name, value, verbatim }) => {
        const written = verbatim ? String(value) : bytesOf(JSON.stringify(value));
        return `${bytesOf(JSON.stringify(name))}:${written}`;
      })
      .join()}}`,
};

export function formOf(entries: readonly Entry[]): string {
  return entries
    .map(({ name, value, verbatim }) => {
      if (verbatim) return `${encoded(name)}=${String(value)}`;
      return `${encoded(name)}=${encoded(typeof value === 'string' ? value : JSON.stringify(value))}`;
    })
    .join('&');
}

/** The media types of an operation's body. @throws for a type without a writer */
export function bodyTypesOf({ requestBody, path }: Operation): string[] {
  const types = Object.keys(requestBody?.content ?? {});
  for (const type of types) {
    if (writers[type] === undefined)
      throw new Error(`${path} takes ${type}: it needs a writer in test/fuzz/request.ts`);
  }
  return types;
}
