import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  createServer,
  get,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestPlain,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileLimit } from '../../scripts/file-limit.ts';
import { createMigratedWorkplace, type Running, type Workplace } from '../commands/janua-command.ts';
import { ann, password } from '../janua.ts';
import { type Certificate, createCertificate } from '../servers/certificate.ts';
import { findFreePort } from '../servers/throw-away-server.ts';
import { startWebServer, type WebServer, type WebServerName } from './web-server.ts';

/** A request that the application received. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  /** Names as they were sent, and values as UTF-8. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `janua serve` and an application behind a web server with the files of `deploy/`. */
export interface FrontedDeployment extends AsyncDisposable {
  readonly workplace: Workplace;
  readonly webServer: WebServer;
  readonly janua: Running;
  readonly authOrigin: string;
  readonly appOrigin: string;
  /** The origin of another application. Janua lists it, but this web server does not know it. */
  readonly wikiOrigin: string;
  /** Starts a second web server for `wikiOrigin`, before the same application. It takes `januaPort` for Janua. */
  startWikiServer(januaPort: number): Promise<WebServer>;
  readonly plainPort: number;
  readonly certificate: Certificate;
  /** The requests that have reached the application so far. */
  readonly seen: Seen[];
  /** Sends a request that no browser would send. @param body makes it a POST */
  send(address: string, headers?: Record<string, string | string[]>, body?: string): Promise<Told>;
  /** Sends a request to Janua itself, as a proxy on this machine would. */
  askAsProxy(path: string, headers: Record<string, string>): Promise<Told>;
  /** Like `send`, with `target` in the first line of the request. */
  sendTarget(address: string, target: string, headers?: Record<string, string | string[]>): Promise<Told>;
}

/** Source address of the tests' requests: on this machine, but not the address of a proxy. */
export const clientAddress = '127.0.0.2';

/** In the one group that may open `/bosses`. */
export const bea = 'bea@example.com';

const authHost = 'localhost';
const appHost = 'app.localhost';
const wikiHost = 'wiki.localhost';

export async function startFrontedDeployment(name: WebServerName): Promise<FrontedDeployment> {
  await using resources = new AsyncDisposableStack();
  const workplace = resources.use(await createMigratedWorkplace());
  const names = ['--first-name', 'Ann', '--last-name', 'Ärcher'];
  await workplace.run(['groups', 'add', 'staff']);
  await workplace.run(['users', 'add', ann.username, ...names, '--group', 'staff'], { input: password });
  await workplace.run(['users', 'claims', ann.username, '--set', 'department=Forschung ß']);
  const boss = ['--first-name', 'Bea', '--last-name', 'Boss', '--group', 'bosses'];
  await workplace.run(['groups', 'add', 'bosses']);
  await workplace.run(['users', 'add', bea, ...boss], { input: password });
  const certificate = await createCertificate(
    workplace.folder,
    'tls',
    `DNS:${authHost},DNS:${appHost},DNS:${wikiHost}`,
  );
  const ca = await readFile(certificate.certificate);
  const app = resources.use(await startApplication(workplace.folder));

  const tlsPort = await findFreePort();
  const authOrigin = `https://${authHost}:${tlsPort}`;
  const appOrigin = `https://${appHost}:${tlsPort}`;
  const wikiPort = await findFreePort();
  const wikiOrigin = `https://${wikiHost}:${wikiPort}`;
  const janua = await workplace.start(
    ['serve'],
    {
      ...{ PUBLIC_URL: authOrigin, TRUSTED_PROXIES: '127.0.0.1', FORWARD_AUTH_ORIGINS: `${appOrigin},${wikiOrigin}` },
      FORWARD_AUTH_RULES: `${appOrigin}/bosses=bosses,${appOrigin}/dav=staff|basic`,
      FORWARD_AUTH_HEADERS: `${appOrigin} Remote-Department=claim:department`,
    },
    fileLimit,
  );
  janua.process.stdout.resume();
  const place = { authHost, appPort: app.port, ...certificate };
  const januaPort = Number(new URL(janua.url).port);
  const webServer = resources.use(await startWebServer(name, { ...place, appHost, tlsPort, januaPort }));

  /** Sends the path unchanged. A URL would normalize it. */
  async function ask(host: string, path: string, headers: Record<string, string | string[]>, body?: string) {
    const sent = request({
      ...{ host: '127.0.0.1', port: host.split(':')[1], localAddress: clientAddress, ca, agent: false },
      ...{ servername: host.split(':', 1)[0], method: body === undefined ? 'GET' : 'POST' },
      ...{ path, headers: { host, ...headers } },
    });
    sent.end(body);
    const [answer]: [IncomingMessage] = await Promise.race([once(sent, 'response'), once(sent, 'upgrade')] as never);
    if (answer.statusCode !== 101) return readAnswer(answer);
    answer.socket.destroy();
    return { status: 101, headers: answer.headers, body: '' };
  }

  const kept = resources.move();
  return {
    workplace,
    webServer,
    janua,
    authOrigin,
    appOrigin,
    wikiOrigin,
    startWikiServer: (port) =>
      startWebServer(name, { ...place, appHost: wikiHost, tlsPort: wikiPort, januaPort: port }),
    plainPort: webServer.plainPort,
    certificate,
    seen: app.seen,
    send(address, headers = {}, body) {
      const [, host = '', path = '/'] = /^https:\/\/([^/]+)(.*)$/.exec(address) ?? [];
      return ask(host, path, headers, body);
    },
    async askAsProxy(path, headers) {
      const [answer] = (await once(get(janua.url + path, { headers, agent: false }), 'response')) as [IncomingMessage];
      return readAnswer(answer);
    },
    sendTarget: (address, target, headers = {}) => ask(new URL(address).host, target, headers),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const readAnswer = async (answer: IncomingMessage): Promise<Told> => ({
  status: answer.statusCode ?? 0,
  headers: answer.headers,
  body: await text(answer),
});

/** Takes the place of Janua. Gives the answer that a test sets, or passes the request on to Janua. */
export interface StandIn extends AsyncDisposable {
  readonly port: number;
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  passOn(incoming: IncomingMessage, outgoing: ServerResponse): void;
}

export async function startStandIn({ janua }: FrontedDeployment): Promise<StandIn> {
  const standIn: StandIn = {
    ...(await listenHere(createServer((incoming, outgoing) => standIn.answer(incoming, outgoing)))),
    answer: (_, outgoing) => outgoing.destroy(),
    passOn({ url, headers }, outgoing) {
      const onward = requestPlain(janua.url + url, { headers, agent: false }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(outgoing);
      });
      onward.end();
    },
  };
  return standIn;
}

/** Listens on a free port of this machine. */
async function listenHere(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * An application that knows nothing of Janua. It answers with the request that it received.
 * @param folder whose files are under `/dav/files/`
 */
async function startApplication(
  folder: string,
): Promise<AsyncDisposable & { readonly port: number; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const { method = '', url = '', rawHeaders } = incoming;
    const headers = rawHeaders
      .map((part) => Buffer.from(part, 'latin1').toString())
      .flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1] ?? ''] as const] : []));
    const shown = { method, url, headers, body: await text(incoming) };
    seen.push(shown);
    outgoing.setHeader('content-type', 'application/json; charset=utf-8');
    const [, file] = /^\/dav\/files\/([^?]*)/.exec(url) ?? [];
    if (file !== undefined) {
      const content = await readFile(join(folder, file)).catch(() => undefined);
      outgoing.writeHead(content === undefined ? 404 : 200).end(content);
      return;
    }
    if (url.startsWith('/refused')) outgoing.writeHead(401, { 'www-authenticate': 'Basic realm="the application"' });
    outgoing.end(JSON.stringify(shown));
  });
  server.on('upgrade', ({ method = '', url = '', headers }, socket) => {
    seen.push({ method, url, headers: [['upgrade', String(headers.upgrade)]], body: '' });
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  return { ...(await listenHere(server)), seen };
}
