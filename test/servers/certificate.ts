import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A certificate that is its own authority, in files: whoever trusts `certificate` trusts the server that has `key`. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** Names of the throw-away servers' host. */
const thisHost = 'DNS:localhost,IP:127.0.0.1';

/** Makes one for `host`, whose files in a folder that is there begin with `name`. */
export async function createCertificate(folder: string, name: string, host = thisHost): Promise<Certificate> {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=Janua test', '-addext', `subjectAltName=${host}`],
    ...['-out', files.certificate, '-keyout', files.key],
  ]);
  return files;
}
