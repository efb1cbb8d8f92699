import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LogoutNotice } from '../../../src/capabilities/oidc/logout/logout-notice-sender.ts';
import { createLogoutNotices } from '../../../src/capabilities/oidc/logout/logout-notices.ts';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import type { Database } from '../../../src/ground/database/database.ts';

/** An application that is told of logouts: client `a` at `/a`. */
export async function startReceiver() {
  const received: (LogoutNotice & { readonly clientId: string })[] = [];
  let answer = (_notice: LogoutNotice, response: ServerResponse): void => void response.writeHead(204).end();
  let arrived = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const notice: LogoutNotice = JSON.parse(Buffer.concat(await request.toArray()).toString());
    received.push(notice);
    arrived.resolve();
    arrived = Promise.withResolvers();
    answer(notice, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    sids: (clientId?: string) =>
      received.filter((notice) => clientId === undefined || notice.clientId === clientId).map(({ sid }) => sid),
    /** Decides how it answers from now on. */
    direct(next: typeof answer): void {
      answer = next;
    },
    async waitFor(count: number): Promise<void> {
      while (received.length < count) await arrived.promise;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface NoticesOptions {
  readonly database: Database;
  /** Where `send` posts them, unless it does something else. */
  readonly url?: string;
  readonly send?: (notice: LogoutNotice) => Promise<void>;
  /** The logout address of a client. Without it, each client has a host of its own. */
  readonly addressOf?: (clientId: string) => string | undefined;
  readonly isAlive: (sessionId: string) => boolean;
  readonly now?: () => number;
}

async function post(url: string, notice: LogoutNotice): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  const { status } = await fetch(url, { method: 'POST', body: JSON.stringify(notice), signal });
  if (status !== 204) throw new Error(`status ${status}`);
}

/** The notices of one process, which posts them to a receiver. */
export function openNotices({
  database,
  url = '',
  send = (notice) => post(url, notice),
  addressOf = () => undefined,
  isAlive,
  now = Date.now,
}: NoticesOptions) {
  const events: AuditEvent[] = [];
  const lines: object[] = [];
  const write = (details: object) => void lines.push(details);
  const notices = createLogoutNotices({
    ...{ database, now },
    isAlive: async (sessionId) => isAlive(sessionId),
    userIdOf: async (subject) => `user of ${subject}`,
    findClient: async (clientId) => ({ name: `Client ${clientId}`, backchannelLogoutUri: addressOf(clientId) }),
    send,
    audit: {
      async recordIfPossible(event) {
        events.push(event);
      },
    },
    log: { warn: write, error: write },
  });
  return { ...notices, events, lines };
}
