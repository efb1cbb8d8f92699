import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A mail as the server got it. */
export interface ReceivedMail {
  readonly to: readonly string[];
  /** Headers and body. */
  readonly data: string;
}

/** What the server does instead of its usual answer: another answer, no answer, or the end of the connection. */
export type Reaction = { readonly answer: string } | 'silence' | 'close';

/** A mail server in this process, which a test directs. */
export interface ScriptedSmtp extends AsyncDisposable {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** How many connections there were. */
  connections(): number;
  /**
   * Sets how the server reacts from now on.
   * @param react gets each command, `CONNECT` at the start, and `DATA.` after the text of a mail
   */
  direct(react: (command: string) => Reaction | undefined): void;
  /** Resolves when so many mails have been received. */
  waitFor(count: number, signal?: AbortSignal): Promise<void>;
}

const usual: Readonly<Record<string, string>> = {
  CONNECT: '220 test ESMTP',
  EHLO: '250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN',
  STARTTLS: '502 no TLS here',
  AUTH: '235 welcome',
  MAIL: '250 ok',
  RCPT: '250 ok',
  DATA: '354 go on',
  'DATA.': '250 taken',
  RSET: '250 ok',
  QUIT: '221 bye',
};

export async function startScriptedSmtp(): Promise<ScriptedSmtp> {
  const received: ReceivedMail[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  let react: (command: string) => Reaction | undefined = () => undefined;
  const arrivals = new EventEmitter().setMaxListeners(0);

  // A client that is killed resets its connection.
  const server = createServer((socket) => void serve(socket).catch(() => {}));

  async function serve(socket: Socket): Promise<void> {
    count += 1;
    sockets.add(socket.on('error', () => {}));
    socket.on('close', () => sockets.delete(socket));
    let to: string[] = [];
    let data: string[] | undefined;
    /** Tells whether the usual thing happened. */
    function respond(command: string): boolean {
      const reaction = react(command);
      if (reaction === 'close') socket.destroy();
      else if (reaction === undefined) socket.write(`${usual[command.split(' ', 1)[0] ?? ''] ?? '250 ok'}\r\n`);
      else if (reaction !== 'silence') socket.write(`${reaction.answer}\r\n`);
      return reaction === undefined;
    }
    respond('CONNECT');
    for await (const line of createInterface({ input: socket })) {
      if (data !== undefined) {
        if (line !== '.') data.push(line);
        else {
          const mail = { to, data: data.join('\n') };
          [data, to] = [undefined, []];
          if (respond('DATA.')) received.push(mail);
          arrivals.emit('mail');
        }
        continue;
      }
      if (!respond(line)) continue;
      if (line.startsWith('RCPT')) to.push(/<(.*)>/.exec(line)?.[1] ?? '');
      if (line.startsWith('MAIL')) to = [];
      if (line === 'DATA') data = [];
      if (line === 'QUIT') socket.end();
    }
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received,
    connections: () => count,
    direct(next) {
      react = next;
    },
    async waitFor(expected, signal) {
      while (received.length < expected) await once(arrivals, 'mail', { signal });
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
