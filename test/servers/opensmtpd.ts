import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { createCertificate } from './certificate.ts';
import { findProgram } from './find-program.ts';
import { createTemporaryFolder } from './process-end.ts';
import { startServer, type ThrowAwayServer } from './throw-away-server.ts';

/** A real mail server, which delivers every mail into a folder. */
export interface MailServer extends ThrowAwayServer {
  /** The path of its certificate. */
  readonly certificate: string;
  /** The delivered mails, as text. */
  readMails(): Promise<string[]>;
}

/** The account of `url`. */
const account = { user: 'janua', password: 'correct horse' };

/** How it listens. */
const listening = {
  smtps: 'smtps pki test auth <accounts>',
  starttls: 'tls-require pki test auth <accounts>',
  none: '',
};

/** The account of the operating system that the mails belong to. */
const owner = 'nobody';

/** The path of OpenSMTPD on this machine. It starts as root only. */
export function findOpenSmtpd(): string | undefined {
  return findProgram('smtpd');
}

/** Whether the OpenSMTPD of this machine can take mail with TLS. Version 6 cannot with OpenSSL 3, as in Debian 12 and Ubuntu 22.04. */
export function servesTls(): boolean {
  const { stderr } = spawnSync(findOpenSmtpd() ?? 'smtpd', ['-h'], { encoding: 'utf8', timeout: 10_000 });
  return !/OpenSMTPD 6\./.test(stderr);
}

/** OpenSMTPD keeps its mails and its socket at fixed paths. In a mount namespace of its own, these paths are folders of the test. */
const launch = 'mount --bind "$1" /var/spool && mount --bind "$2" /run && shift 2 && exec "$@"';

/**
 * Starts OpenSMTPD.
 * @param tls from the start, or by STARTTLS: it then takes mail with TLS and a password only. `none` needs neither
 */
export async function startOpenSmtpd(tls: 'smtps' | 'starttls' | 'none'): Promise<MailServer> {
  const program = findOpenSmtpd();
  const tool = findProgram('smtpctl');
  if (program === undefined || tool === undefined) throw new Error('OpenSMTPD is not installed');
  const home = createTemporaryFolder('opensmtpd-mails');
  await chmod(home.path, 0o711);
  const mails = join(home.path, 'mails');
  await mkdir(mails);
  await chmod(mails, 0o777);
  const { certificate, key } = await createCertificate(home.path, 'smtpd');
  await chmod(key, 0o600);
  const { stdout: hash } = await promisify(execFile)(tool, ['encrypt', account.password]);
  await writeFile(join(home.path, 'accounts'), `${account.user} ${hash}`);
  const config = join(home.path, 'smtpd.conf');
  const lines = [
    `pki test cert "${certificate}"`,
    `pki test key "${key}"`,
    `table accounts file:${join(home.path, 'accounts')}`,
    `table recipients { "@" = "${owner}" }`,
    `listen on 127.0.0.1 port $port ${listening[tls]}`,
    `action "keep" maildir "${join(mails, 'kept')}" virtual <recipients>`,
    `match ${tls === 'none' ? '' : 'auth '}from any for any action "keep"`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const scheme = tls === 'smtps' ? 'smtps' : 'smtp';
  const credentials = tls === 'none' ? '' : `${account.user}:${encodeURIComponent(account.password)}@`;
  const server = await startServer(
    {
      name: 'opensmtpd',
      program: findProgram('unshare') ?? 'unshare',
      args: ({ data, home: run, port }) => [
        ...['--mount', 'sh', '-c', `mkdir -p "$1/smtpd" && chmod 711 "$1" "$1/smtpd" && ${launch}`, 'sh', data, run],
        ...[program, '-d', '-f', config, '-D', `port=${port}`],
      ],
      url: (port) => `${scheme}://${credentials}localhost:${port}`,
      answers: (_url, { port }) => (tls === 'smtps' ? takesConnections(port) : greets(port)),
      stopSignal: 'SIGTERM',
      endSignal: 'SIGKILL',
    },
    {},
  );
  return {
    ...server,
    certificate,
    async readMails() {
      const folder = join(mails, 'kept', 'new');
      const names = await readdir(folder).catch(() => []);
      return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      home.remove();
    },
  };
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect').finally(() => socket.destroy());
  return true;
}

async function greets(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    const [line] = await once(createInterface({ input: socket }), 'line');
    return String(line).startsWith('220');
  } finally {
    socket.destroy();
  }
}
