import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createCertificate } from '../../servers/certificate.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';

/** The site of an application, which describes itself there. */
export interface DocumentServer extends AsyncDisposable {
  readonly origin: string;
  readonly host: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  /** A file with the certificate, for other processes. */
  readonly certificate: string;
  /** Publishes a document. @returns its address, which is the `client_id` that the document gets unless it has one */
  publish(path: string, document: object): string;
  /** Answers at a path. @returns its address */
  answer(path: string, listener: RequestListener): string;
}

/** This process trusts its certificate from now on. */
export async function startDocumentServer(): Promise<DocumentServer> {
  const folder = createTemporaryFolder('documents');
  const files = await createCertificate(folder.path, 'documents');
  const [cert, key] = [readFileSync(files.certificate, 'utf8'), readFileSync(files.key, 'utf8')];
  setDefaultCACertificates([...getCACertificates('default'), cert]);
  const listeners = new Map<string, RequestListener>();
  const asked: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const { url = '' } = request;
    asked.push(url);
    const listener = listeners.get(url);
    if (listener === undefined) response.writeHead(404).end();
    else listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  const origin = `https://${host}`;

  function answer(path: string, listener: RequestListener): string {
    listeners.set(path, listener);
    return `${origin}${path}`;
  }

  return {
    origin,
    host,
    asked,
    certificate: files.certificate,
    answer,
    publish: (path, document) =>
      answer(path, (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ client_id: `${origin}${path}`, ...document }));
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      folder.remove();
    },
  };
}
