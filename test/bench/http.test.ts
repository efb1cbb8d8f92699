import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { exchangeOnce } from '../../bench/http.ts';

/** Asks a server that sends its answer in these pieces, one write each. */
async function ask(...pieces: string[]) {
  const server = createServer((socket) => {
    socket.setNoDelay().once('data', async () => {
      for (const piece of pieces) await new Promise((sent) => socket.write(piece, sent));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  try {
    const { status, body } = await exchangeOnce(address.port, 'GET / HTTP/1.1\r\n\r\n');
    return { status, body: body.toString() };
  } finally {
    server.close();
  }
}

const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('the client reads an answer', () => {
  for (const [name, pieces, expected] of [
    ['with a Content-Length', ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes'], { status: 200, body: 'yes' }],
    ['without a body', ['HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n'], { status: 401, body: '' }],
    ['in pieces', ['HTTP/1.1 200 OK\r\nConte', 'nt-Length: 3\r\n', '\r\ny', 'es'], { status: 200, body: 'yes' }],
    ['in chunks', [`${chunkedHead}3\r\nyes\r\nA\r\n, and more\r\n0\r\n\r\n`], { status: 200, body: 'yes, and more' }],
    [
      'in chunks that come in pieces',
      [chunkedHead, '3\r', '\nye', 's\r\n0', '\r\n\r', '\n'],
      { status: 200, body: 'yes' },
    ],
    ['in chunks without any data', [`${chunkedHead}0\r\n\r\n`], { status: 200, body: '' }],
  ] as const) {
    test(name, async () => assert.deepEqual(await ask(...pieces), expected));
  }

  test('only if its length is given', async () => {
    await assert.rejects(ask('HTTP/1.1 200 OK\r\n\r\nyes'), /length/);
    await assert.rejects(ask(`${chunkedHead}yes\r\n0\r\n\r\n`), /size/);
  });
});
