import type { Settings } from '../../src/ground/config/settings.ts';
import { wiki } from '../capabilities/oidc/application.ts';
import { ann, password, startJanua } from '../janua.ts';
import { type Certificate, createCertificate } from '../servers/certificate.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { startTlsProxy, type TlsProxy } from './tls-proxy.ts';

export const account = { username: ann.username, password };

/** A server in this process, with one user and one client. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  /** The number of sessions of the user. */
  countSessions(): Promise<number>;
}

/** A server behind a proxy with TLS, as in production. */
export interface Site extends AsyncDisposable {
  readonly folder: string;
  readonly proxy: TlsProxy;
  readonly certificate: Certificate;
  readonly server: Served;
}

export async function serve(settings: Partial<Settings>): Promise<Served> {
  const janua = await startJanua({
    settings: { PORT: 0, TRUSTED_PROXIES: ['127.0.0.1'], THROTTLE: 'on', ...settings },
    overrides: { demoMailbox: false },
  });
  const { clientAdministration, users, sessions } = janua.services;
  await clientAdministration.addClient(wiki);
  const url = await janua.app.listen({ port: 0, host: '127.0.0.1' });
  return {
    url,
    async countSessions() {
      const user = await users.findByUsername(account.username);
      return (await sessions.listOf(user?.user.id ?? '', undefined)).length;
    },
    [Symbol.asyncDispose]: () => janua[Symbol.asyncDispose](),
  };
}

export async function openSite(): Promise<Site> {
  await using resources = new AsyncDisposableStack();
  const folder = createTemporaryFolder('selftest');
  resources.defer(() => folder.remove());
  const certificate = await createCertificate(folder.path, 'proxy');
  const proxy = resources.use(await startTlsProxy(certificate));
  // The selftest asks for no mail, so no server is needed there.
  const mail = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'no-reply@example.com' };
  const server = resources.use(await serve({ PUBLIC_URL: proxy.url, ...mail }));
  proxy.target = server.url;
  const kept = resources.move();
  return { folder: folder.path, proxy, certificate, server, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
