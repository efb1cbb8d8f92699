import { createMigratedWorkplace, type Running, type Workplace } from '../commands/janua-command.ts';
import { type Certificate, createCertificate } from '../servers/certificate.ts';
import { startTlsProxy, type TlsProxy } from './tls-proxy.ts';

export const account = { username: 'ann@example.com', password: 'a few words that nobody guesses' };

/** Milliseconds within which the test file has to end. */
const lifetime = 10 * 60 * 1000;

/** `janua serve` behind a proxy with TLS, as in production, with one user and one client. */
export interface Deployment extends AsyncDisposable {
  readonly workplace: Workplace;
  readonly proxy: TlsProxy;
  readonly certificate: Certificate;
  readonly server: Running;
  /** Starts another process, with other settings. */
  serve(env: Readonly<Record<string, string>>): Promise<Running>;
  /** The number of sessions of the user. */
  countSessions(): Promise<number>;
}

export async function startDeployment(): Promise<Deployment> {
  await using resources = new AsyncDisposableStack();
  const workplace = resources.use(await createMigratedWorkplace());
  const { username, password } = account;
  await workplace.run(['users', 'add', username, '--first-name', 'Ann', '--last-name', 'Archer'], { input: password });
  await workplace.run(['clients', 'add', '--name', 'Wiki', '--redirect-uri', 'https://wiki.example.com/callback']);
  const certificate = await createCertificate(workplace.folder, 'proxy');
  const proxy = resources.use(await startTlsProxy(certificate));

  async function serve(env: Readonly<Record<string, string>>): Promise<Running> {
    const server = await workplace.start(['serve'], { TRUSTED_PROXIES: '127.0.0.1', ...env }, lifetime);
    // The tests do not need its log. Unread, it would fill the pipe.
    server.process.stdout.resume();
    return server;
  }

  // The selftest asks for no mail, so no server is needed there.
  const mail = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'no-reply@example.com', LOGIN_NOTICES: 'off' };
  const server = await serve({ PUBLIC_URL: proxy.url, ...mail });
  proxy.target = server.url;
  const kept = resources.move();
  return {
    workplace,
    proxy,
    certificate,
    server,
    serve,
    async countSessions() {
      const { stdout } = await workplace.run(['sessions', 'list', username, '--json']);
      return stdout.split('\n').filter(Boolean).length;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
