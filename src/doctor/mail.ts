import { type Check, ok, warning, wrong } from '../../selftest/finding.ts';
import { openTransport } from '../core/mail/transport.ts';
import { findMailRoute } from '../ground/config/mail-server.ts';
import type { Settings } from '../ground/config/settings.ts';
import { shownUrl } from '../ground/config/shown-url.ts';
import { inTime } from '../ground/faults/in-time.ts';

/** Connects to the mail server and logs in, but sends no mail. @param timeout milliseconds that this may take */
export async function* checkMail(settings: Settings, timeout: number): Check {
  const { MAIL_URL = '' } = settings;
  const route = findMailRoute(settings);
  if (route === undefined) {
    const message = 'Mail is off, because MAIL_URL is not set: users cannot reset a forgotten password.';
    yield warning(message, 'Set MAIL_URL and MAIL_FROM. Then: ./bin/janua mail test ADDRESS.');
    return;
  }
  const transport = await openTransport(route);
  const silence = { reason: `no answer within ${timeout / 1000} s` };
  const failure = await inTime(transport.verify(), timeout).catch(() => silence);
  transport.close();
  const { tls, account } = route.server;
  const tried = ['answers', tls !== 'if-offered' && 'by TLS', account && 'and takes the login']
    .filter(Boolean)
    .join(' ');
  yield failure === undefined
    ? ok(`The mail server ${shownUrl(MAIL_URL)} ${tried}. Whether it takes mail: ./bin/janua mail test ADDRESS.`)
    : wrong(
        `The mail server ${shownUrl(MAIL_URL)} cannot be used: ${failure.reason.replace(/\.$/, '')}.`,
        'Check MAIL_URL, and that the server can be reached. Then: ./bin/janua mail test ADDRESS.',
      );
}
