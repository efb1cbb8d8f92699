// Sends requests of every kind and keeps what each of them gave, away from the servers.
import { setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { offer } from './child.ts';
import { type Answer, openConnection } from './connection.ts';

export interface Exchange {
  readonly status: number;
  readonly milliseconds: number;
  readonly hasRetryAfter: boolean;
}

/** An answer without what differs from one to the next for all alike, to be compared with others. */
export interface WholeExchange extends Exchange {
  readonly answer: string;
}

export interface Storm {
  readonly port: number;
  /** Whole HTTP requests; each of the senders takes every so many-th. */
  readonly requests: readonly string[];
  readonly senders: number;
  readonly seconds: number;
}

export interface Reading {
  readonly port: number;
  readonly request: string;
  /** What each answer must contain. */
  readonly expected?: string;
  /** Milliseconds between two requests, whether or not the one before is answered. */
  readonly interval: number;
  readonly seconds: number;
}

export type ClientTasks = {
  /** One after the other, on one connection. */
  sendInTurn(port: number, requests: readonly string[]): Promise<WholeExchange[]>;
  /** All senders at the same time, each request on a connection of its own, again and again. */
  storm(storm: Storm): Promise<Exchange[]>;
  /** At a fixed rate: a slow answer keeps back none of those that would be slow too. */
  read(reading: Reading): Promise<Exchange[]>;
  /** Lets everything else go first: who makes the load must not delay who measures it, or the server. */
  yieldToOthers(): void;
};

/** How long a sender that was turned away stays away, in milliseconds: less than it was told. */
const patience = 1000;

/** Connections that are open before the reading begins: more than are ever waiting at the same time, as a rule. */
const readingConnections = 8;

function time(answer: Answer, start: number): Exchange {
  const { status, head } = answer;
  return { status, milliseconds: performance.now() - start, hasRetryAfter: /\r\nretry-after: *\d+/i.test(head) };
}

/** The fields that differ by the moment: they tell nobody what the request has met. */
const comparable = ({ head, body }: Answer) =>
  `${head.replaceAll(/(\r\n(?:date|x-request-id|retry-after): *)[^\r]*/gi, '$1')}\n${body.toString().replaceAll(/[0-9a-f-]{36}/g, '')}`;

offer({
  async sendInTurn(port, requests) {
    const connection = await openConnection(port);
    const exchanges: WholeExchange[] = [];
    for (const request of requests.map((text) => Buffer.from(text))) {
      const start = performance.now();
      const answer = await connection.exchange(request);
      exchanges.push({ ...time(answer, start), answer: comparable(answer) });
    }
    connection.close();
    return exchanges;
  },

  async storm({ port, requests, senders, seconds }) {
    const bytes = requests.map((request) => Buffer.from(request));
    const exchanges: Exchange[] = [];
    const deadline = performance.now() + seconds * 1000;
    async function send(first: number): Promise<void> {
      for (let next = first; performance.now() < deadline; next += senders) {
        const start = performance.now();
        const connection = await openConnection(port);
        const exchange = time(await connection.exchange(bytes[next % bytes.length] ?? Buffer.alloc(0)), start);
        connection.close();
        exchanges.push(exchange);
        if (exchange.hasRetryAfter) await setTimeout(patience);
      }
    }
    await Promise.all(Array.from({ length: senders }, (_, first) => send(first)));
    return exchanges;
  },

  async read({ port, request, expected = '', interval, seconds }) {
    const bytes = Buffer.from(request);
    const idle = await Promise.all(Array.from({ length: readingConnections }, () => openConnection(port)));
    const exchanges: Promise<Exchange>[] = [];
    async function exchange(): Promise<Exchange> {
      const start = performance.now();
      const connection = idle.pop() ?? (await openConnection(port));
      const answer = await connection.exchange(bytes);
      const exchange = time(answer, start);
      idle.push(connection);
      if (!answer.body.includes(expected)) throw new Error(`the server answered without ${expected}`);
      return exchange;
    }
    const start = performance.now();
    for (let sent = 0; sent < (seconds * 1000) / interval; sent += 1) {
      const rest = start + sent * interval - performance.now();
      if (rest > 0) await setTimeout(rest);
      exchanges.push(exchange());
    }
    const done = await Promise.all(exchanges);
    for (const connection of idle) connection.close();
    return done;
  },

  yieldToOthers: () => setPriority(19),
} satisfies ClientTasks);
