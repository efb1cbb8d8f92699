import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A span, as a collector receives it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** 2 is an error. */
  readonly status: number;
}

/** A collector for OTLP over HTTP in protobuf. */
export interface Collector extends AsyncDisposable {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  readonly resource: Readonly<Record<string, string | number>>;
  /** All received bytes, unchanged. */
  readonly bytes: () => Buffer;
  /** Waits for matching spans. */
  until(found: (spans: readonly ReceivedSpan[]) => boolean): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const resource: Record<string, string | number> = {};
  let arrived = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    bodies.push(body);
    if (request.url === '/v1/traces') read(body, spans, resource);
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    arrived.resolve();
    arrived = Promise.withResolvers();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resource,
    bytes: () => Buffer.concat(bodies),
    async until(found) {
      while (!found(spans)) await arrived.promise;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

type Fields = Map<number, (Buffer | bigint)[]>;

/** Parses one protobuf message. Gives its fields by number, as bytes or numbers. */
function fieldsOf(message: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  function value(type: number): Buffer | bigint {
    if (type === 0) return varint();
    const length = type === 1 ? 8 : type === 5 ? 4 : Number(varint());
    at += length;
    return message.subarray(at - length, at);
  }
  while (at < message.length) {
    const tag = Number(varint());
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value(tag & 7)]);
  }
  return fields;
}

const messages = (fields: Fields | undefined, number: number) => (fields?.get(number) ?? []).filter(Buffer.isBuffer);
const message = (fields: Fields, number: number) => messages(fields, number)[0] ?? Buffer.alloc(0);

/** Field numbers of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto. */
function read(body: Buffer, spans: ReceivedSpan[], resource: Record<string, string | number>): void {
  for (const resourceSpans of messages(fieldsOf(body), 1).map(fieldsOf)) {
    Object.assign(resource, attributesOf(messages(fieldsOf(message(resourceSpans, 1)), 1)));
    for (const scope of messages(resourceSpans, 2).map(fieldsOf))
      for (const span of messages(scope, 2).map(fieldsOf))
        spans.push({
          traceId: message(span, 1).toString('hex'),
          spanId: message(span, 2).toString('hex'),
          parentSpanId: message(span, 4).toString('hex'),
          name: message(span, 5).toString(),
          kind: Number(span.get(6)?.[0] ?? 0),
          attributes: attributesOf(messages(span, 9)),
          status: Number(fieldsOf(message(span, 15)).get(3)?.[0] ?? 0),
        });
  }
}

function attributesOf(pairs: readonly Buffer[]): Record<string, string | number> {
  return Object.fromEntries(
    pairs.map(fieldsOf).map((pair) => {
      const value = fieldsOf(message(pair, 2));
      const [number] = value.get(3) ?? [];
      return [message(pair, 1).toString(), number === undefined ? message(value, 1).toString() : Number(number)];
    }),
  );
}
