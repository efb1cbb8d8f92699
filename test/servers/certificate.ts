import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The files of a self-signed certificate. A client that trusts `certificate` trusts the server with `key`. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** Names of the throw-away servers' host. */
const thisHost = 'DNS:localhost,IP:127.0.0.1';

/** Creates a certificate for `host`. Its files in the existing folder begin with `name`. */
export async function createCertificate(
  folder: string,
  name: string,
  host = thisHost,
  algorithm = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
): Promise<Certificate> {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', ...algorithm, '-nodes', '-days', '2'],
    ...['-subj', '/CN=Janua test', '-addext', `subjectAltName=${host}`],
    ...['-out', files.certificate, '-keyout', files.key],
  ]);
  return files;
}
