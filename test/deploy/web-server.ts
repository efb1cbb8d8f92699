import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { findProgram } from '../servers/find-program.ts';
import { atProcessEnd, createTemporaryFolder } from '../servers/process-end.ts';
import { findFreePort } from '../servers/throw-away-server.ts';

export type WebServerName = 'nginx' | 'caddy';

export const findWebServer = (name: WebServerName) => findProgram(name);

/** A test's names, ports and certificates, in place of those in the files of `deploy/`. */
export interface Place {
  readonly authHost: string;
  readonly appHost: string;
  readonly tlsPort: number;
  readonly plainPort: number;
  readonly januaPort: number;
  readonly appPort: number;
  readonly certificate: string;
  readonly key: string;
}

export interface WebServer extends AsyncDisposable {
  readonly folder: string;
  /** Its output so far, including the log of requests. */
  readOutput(): Promise<string>;
}

/** Milliseconds within which it has to accept connections. */
const patience = 20_000;

/** Seconds, in place of the values in the files. */
const patienceWithJanua = 4;

export const deployed = (name: string) => readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');

/** Replaces texts. Each has to occur: otherwise the test would not cover the file. */
export function replaceAll(
  text: string,
  replacements: readonly (readonly [from: string | RegExp, to: string])[],
): string {
  return replacements.reduce((changed, [from, to]) => {
    const next = changed.replaceAll(from, () => to);
    if (next === changed) throw new Error(`the file does not contain ${from}, so ${to} cannot replace it`);
    return next;
  }, text);
}

/** The files of `deploy/` within a minimal configuration of nginx. */
async function nginxConfiguration(place: Place, folder: string): Promise<string> {
  const sites = (await deployed('nginx.conf')) + (await deployed('nginx-forward-auth.conf'));
  const site = replaceAll(sites, [
    ['proxy_read_timeout 15s;', `proxy_read_timeout ${patienceWithJanua}s;`],
    [/^ +listen \[::\].*\n/gm, ''],
    ['/var/log/nginx/access.log', '/dev/stdout'],
    ['/var/log/nginx/error.log', 'stderr'],
    ['root /var/www/html;', `root ${folder};`],
    ['listen 80;', `listen 127.0.0.1:${place.plainPort};`],
    ['listen 443 ssl http2;', `listen 127.0.0.1:${place.tlsPort} ssl http2;`],
    ['https://auth.example.com', `https://${place.authHost}:${place.tlsPort}`],
    ['https://app.example.com$', `https://${place.appHost}:${place.tlsPort}$`],
    [/ssl_certificate \S+;/g, `ssl_certificate ${place.certificate};`],
    [/ssl_certificate_key \S+;/g, `ssl_certificate_key ${place.key};`],
    ['Host auth.example.com;', `Host ${place.authHost}:${place.tlsPort};`],
    ['auth.example.com', place.authHost],
    ['$app_host app.example.com;', `$app_host ${place.appHost}:${place.tlsPort};`],
    ['app.example.com', place.appHost],
    ['127.0.0.1:5000', `127.0.0.1:${place.januaPort}`],
    ['127.0.0.1:8080', `127.0.0.1:${place.appPort}`],
    // What an operator may add.
    [/# (?=(?:set|auth_request_set) \$janua_department )/g, ''],
    [/# (?=proxy_set_header Remote-Department )/g, ''],
    ['  location / {\n    auth_request', '  location / {\n    location = /denied { deny all; }\n    auth_request'],
  ]);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
    events {} http { access_log /dev/stdout; ${paths.join(' ')}\n${site} }`;
}

async function caddyConfiguration(place: Place): Promise<string> {
  const sites = (await deployed('Caddyfile')) + (await deployed('Caddyfile.forward-auth'));
  return replaceAll(sites, [
    ['response_header_timeout 15s', `response_header_timeout ${patienceWithJanua}s`],
    [/^\{\n/gm, '{\n\tadmin off\n\tskip_install_trust\n'],
    [/^\ttls \{$/gm, `\ttls ${place.certificate} ${place.key} {`],
    ['http://auth.example.com {', `http://${place.authHost}:${place.plainPort} {\n\tbind 127.0.0.1\n\tlog`],
    ['https://auth.example.com {', `https://${place.authHost}:${place.tlsPort} {\n\tbind 127.0.0.1\n\tlog`],
    ['https://app.example.com {', `https://${place.appHost}:${place.tlsPort} {\n\tbind 127.0.0.1\n\tlog`],
    ['https://auth.example.com{uri}', `https://${place.authHost}:${place.tlsPort}{uri}`],
    ['127.0.0.1:5000', `127.0.0.1:${place.januaPort}`],
    ['127.0.0.1:8080', `127.0.0.1:${place.appPort}`],
    // What an operator may add.
    [/# (?=(?:copy_headers|header_up) Remote-Department\b)/g, ''],
  ]);
}

/** Starts the real web server with the files of `deploy/`, on loopback. */
export async function startWebServer(name: WebServerName, place: Omit<Place, 'plainPort'>): Promise<WebServer & Place> {
  const whole = { ...place, plainPort: await findFreePort() };
  const configure = name === 'nginx' ? nginxConfiguration : caddyConfiguration;
  const started = await runWebServer(name, whole, (folder) => configure(whole, folder));
  return { ...whole, ...started };
}

/** Starts the real web server, and waits until it listens. @param configure makes its configuration. The folder is its own */
export async function runWebServer(
  name: WebServerName,
  { tlsPort, plainPort }: Pick<Place, 'tlsPort' | 'plainPort'>,
  configure: (folder: string) => string | Promise<string>,
): Promise<WebServer> {
  const folder = createTemporaryFolder(name);
  // If we are root, its workers still run as another account.
  await chmod(folder.path, 0o755);
  const file = join(folder.path, 'configuration');
  await writeFile(file, await configure(folder.path));
  const args =
    name === 'nginx'
      ? ['-p', folder.path, '-e', 'stderr', '-c', file]
      : ['run', '--adapter', 'caddyfile', '--config', file];
  const log = join(folder.path, 'log');
  const output = openSync(log, 'w');
  const child = spawn(findWebServer(name) ?? name, args, {
    stdio: ['ignore', output, output],
    env: { HOME: folder.path, XDG_DATA_HOME: folder.path, XDG_CONFIG_HOME: folder.path, PATH: process.env.PATH },
  });
  closeSync(output);
  const forget = atProcessEnd(() => child.kill('SIGKILL'));
  const readOutput = () => readFile(log, 'utf8');

  async function stop(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill(name === 'nginx' ? 'SIGQUIT' : 'SIGTERM');
      const timer = new AbortController();
      await Promise.race([
        ended,
        setTimeout(3000, undefined, { signal: timer.signal }).then(() => child.kill('SIGKILL')),
      ]);
      timer.abort();
      await ended;
    }
    forget();
    folder.remove();
  }

  try {
    for (const port of [tlsPort, plainPort]) await untilListening(port, child);
  } catch (error) {
    const said = await readOutput();
    await stop();
    throw new Error(`${name} did not start:\n${said}`, { cause: error });
  }
  return { folder: folder.path, readOutput, [Symbol.asyncDispose]: stop };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + patience;
  while (performance.now() < deadline && child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return;
    await setTimeout(20);
  }
  throw new Error(`nothing listens at port ${port}`);
}
