import { type Client, NoAnswer } from './client.ts';
import { type Check, type Finding, ok, warning, wrong } from './finding.ts';

const day = 24 * 60 * 60 * 1000;

/** Checks that the server accepts only safe versions of TLS (ASVS 12.1.1), and how long the certificate is valid. */
export async function* checkTls(client: Client): Check {
  const { version, from, to } = await client.shakeHands({}, (socket) => {
    const { valid_from, valid_to } = socket.getPeerCertificate();
    return { version: socket.getProtocol(), from: Date.parse(valid_from), to: Date.parse(valid_to) };
  });
  yield ok(`The connection is ${version}, and the certificate is trusted.`);
  yield judgeValidity(from, to, Date.now());

  const old = await client
    .shakeHands({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, (socket) =>
      socket.getProtocol(),
    )
    .catch((error: unknown) => {
      if (error instanceof NoAnswer) return undefined;
      throw error;
    });
  yield old === undefined
    ? ok('The server refuses TLS 1.1 and older.')
    : wrong(`The server also accepts ${old}, which is broken.`, 'In the proxy (nginx): ssl_protocols TLSv1.2 TLSv1.3;');
}

/**
 * Certificates are usually renewed with a third of their time left. Below a quarter, the renewal has failed.
 * @param from in milliseconds since 1970, as are the others
 */
export function judgeValidity(from: number, to: number, now: number): Finding {
  const until = new Date(to).toISOString().slice(0, 10);
  const message = `The certificate is valid until ${until}; days left: ${Math.floor((to - now) / day)}.`;
  return to - now < Math.min(14 * day, (to - from) / 4)
    ? warning(message, 'Check why it has not been renewed.')
    : ok(message);
}
