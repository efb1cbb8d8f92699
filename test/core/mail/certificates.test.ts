import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { openTransport } from '../../../src/core/mail/transport.ts';
import { createCertificate } from '../../servers/certificate.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import { from } from './post-office.ts';

const folder = createTemporaryFolder('certificates');
const sockets = new Set<Socket>();
/** Whether TLS comes before the first word. */
let isSecure = false;
let shown: { key: Buffer; cert: Buffer };

/** A mail server with a certificate that nobody has signed. */
const server = createServer((socket) => {
  sockets.add(socket.on('error', () => {}));
  if (isSecure) talk(secure(socket));
  else talk(socket);
});

const secure = (socket: Socket) => new TLSSocket(socket, { isServer: true, ...shown }).on('error', () => {});

function talk(socket: Socket): void {
  const isPlain = !(socket instanceof TLSSocket);
  if (isPlain || isSecure) socket.write('220 test ESMTP\r\n');
  socket.on('data', (line) => {
    if (isPlain && /^STARTTLS/.test(String(line))) {
      socket.removeAllListeners('data');
      socket.write('220 go on\r\n', () => talk(secure(socket)));
    } else socket.write(isPlain ? '250-test\r\n250 STARTTLS\r\n' : '250 test\r\n');
  });
}

before(async () => {
  const { certificate, key } = await createCertificate(folder.path, 'unknown');
  shown = { key: await readFile(key), cert: await readFile(certificate) };
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
after(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
  folder.remove();
});

for (const [tls, first, refused] of [
  ['required', false, /self-signed certificate/],
  ['always', true, /self-signed certificate/],
  // The server is on this machine.
  ['if-offered', false, undefined],
] as const)
  test(`a certificate that nobody has signed is ${refused ? 'refused' : 'accepted'} if TLS is ${tls}`, async () => {
    isSecure = first;
    const { port } = server.address() as AddressInfo;
    const transport = await openTransport({ server: { host: '127.0.0.1', port, tls }, from });
    const failure = await transport.verify();
    transport.close();
    if (refused === undefined) assert.equal(failure, undefined);
    else assert.match(failure?.reason ?? 'it was accepted', refused);
  });
