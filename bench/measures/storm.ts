import type { ClientTasks } from '../processes/client.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { percentile } from '../statistics.ts';
import type { Ask } from './requests.ts';

/** Number of clients that log in. More than are hashed at once, so some logins always wait. */
const stormConnections = 8;

/** Milliseconds between two requests of the reader. They are far enough apart to add little load. */
const readingInterval = 5;

/** Response times of a signed-in user's requests, in milliseconds. */
export interface Storm {
  readonly idleP99: number;
  readonly median: number;
  readonly p99: number;
  /** Logins per second during the storm. */
  readonly logins: number;
}

/** The client that reads and the client that logs in, each in its own process. */
export interface StormClients extends AsyncDisposable {
  readonly reader: Child<ClientTasks>;
  readonly sender: Child<LoadTasks>;
}

export function startStormClients(): StormClients {
  const reader = startChild<ClientTasks>('./client.ts');
  const sender = startChild<LoadTasks>('./load.ts');
  return {
    reader,
    sender,
    async [Symbol.asyncDispose]() {
      await Promise.all([reader, sender].map((child) => child[Symbol.asyncDispose]()));
    },
  };
}

/** Reads on an idle server, then while 8 clients log in continuously. */
export async function measureStorm(
  server: Child<ServerTasks>,
  { reader, sender }: StormClients,
  me: Ask,
  login: Ask,
  seconds: number,
): Promise<Storm> {
  const port = await server.ask('port');
  const [request = ''] = me.requests;
  const reading = { port, request, expected: me.expected, interval: readingInterval, seconds };
  const timesOf = async () =>
    (await reader.ask('read', reading)).map(({ status, milliseconds }) => {
      if (status !== 200) throw new Error(`the server answered a reader with ${status}`);
      return milliseconds;
    });
  const idle = await timesOf();
  const storm = { port, ...login, connections: stormConnections, count: 10_000, seconds };
  const [{ perSecond: logins }, times] = await Promise.all([sender.ask('send', storm), timesOf()]);
  return { idleP99: percentile(idle, 0.99), median: percentile(times, 0.5), p99: percentile(times, 0.99), logins };
}
