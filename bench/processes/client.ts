// Sends requests from its own process and records each response.
import { setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { offer } from './child.ts';
import { type Answer, openConnection } from './connection.ts';

export interface Exchange {
  readonly status: number;
  readonly milliseconds: number;
  readonly hasRetryAfter: boolean;
}

/** An exchange with the text of its response, without the parts that differ in every response. */
export interface WholeExchange extends Exchange {
  readonly answer: string;
}

export interface Storm {
  readonly port: number;
  /** Whole HTTP requests. The senders share them in turns. */
  readonly requests: readonly string[];
  readonly senders: number;
  readonly seconds: number;
}

export interface Reading {
  readonly port: number;
  readonly request: string;
  /** Text that each response must contain. */
  readonly expected?: string;
  /** Milliseconds between two requests. A request does not wait for the previous response. */
  readonly interval: number;
  readonly seconds: number;
}

export type ClientTasks = {
  /** Sends the requests one after the other, on one connection. */
  sendInTurn(port: number, requests: readonly string[]): Promise<WholeExchange[]>;
  /** All senders repeat requests at the same time, each request on a new connection. */
  storm(storm: Storm): Promise<Exchange[]>;
  /** Sends requests at a fixed rate. So a slow response delays no later request, which may be slow too. */
  read(reading: Reading): Promise<Exchange[]>;
  /** Lowers the priority, so that the load does not delay the server or the measuring client. */
  yieldToOthers(): void;
};

/** Milliseconds that a refused sender waits: less than its Retry-After says. */
const patience = 1000;

/** Connections that are opened in advance. Usually fewer requests wait at the same time. */
const readingConnections = 8;

function time(answer: Answer, start: number): Exchange {
  const { status, head } = answer;
  return { status, milliseconds: performance.now() - start, hasRetryAfter: /\r\nretry-after: *\d+/i.test(head) };
}

/** Removes the parts that differ in every response and say nothing about the user. */
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
