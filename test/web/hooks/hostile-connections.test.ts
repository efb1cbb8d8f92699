import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { readBody } from '../../../src/web/hooks/read-body.ts';
import { startServer } from '../server.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

describe('a connection', () => {
  async function open() {
    const server = await startServer({ logsRequests: () => false });
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as AddressInfo;
    /** Sends all of a text at once, and gives what comes back until the end. */
    async function send(text: string): Promise<string> {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      let received = '';
      socket.setEncoding('latin1').on('data', (part: string) => {
        received += part;
      });
      socket.write(text);
      await once(socket, 'close');
      return received;
    }
    return { ...server, send, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  }

  const request = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const last = request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');

  test('may send some requests before it reads the answers, but not many', async () => {
    await using opened = await open();
    const { send } = opened;
    const answered = (text: string) => text.split('HTTP/1.1 200').length - 1;
    assert.equal(answered(await send(request.repeat(3) + last)), 4);
    assert.ok(answered(await send(request.repeat(4) + last)) < 4);
    // Node answers these by itself.
    for (const own of ['GET / HTTP/1.1\r\n\r\n', request.replace('\r\n\r\n', '\r\nExpect: x\r\n\r\n')]) {
      const answers = (await send(request + own.repeat(1_000) + last)).split('HTTP/1.1 ').length - 1;
      assert.ok(answers <= 4, `${answers} answers`);
    }
    assert.equal(answered(await send(last)), 1, 'others go on');
  });
});

describe('a body', () => {
  const read = async (chunks: readonly Buffer[], limit: number) => {
    const payload = new PassThrough();
    const body = readBody(payload as never, limit);
    for (const chunk of chunks) payload.write(chunk);
    payload.end();
    return body;
  };
  const bytes = (count: number) => Array.from({ length: count }, (_, index) => Buffer.from([index % 251]));

  test('is joined from any number of chunks', async () => {
    for (const count of [0, 1, 255, 256, 257, 5_000])
      assert.deepEqual(await read(bytes(count), 5_000), Buffer.concat(bytes(count)), String(count));
  });

  test('is refused before it is read, if it says that it is too long', async () => {
    const payload = Object.assign(new PassThrough(), { headers: { 'content-length': '5001' } });
    await assert.rejects(readBody(payload as never, 5_000), { statusCode: 413 });
    assert.equal(payload.listenerCount('data'), 0);
  });

  test('is refused one byte beyond the limit', async () => {
    await assert.rejects(read(bytes(5_001), 5_000), { statusCode: 413 });
  });

  test('that breaks off is refused', async () => {
    const payload = new PassThrough();
    const body = readBody(payload as never, 100);
    payload.write('a');
    payload.destroy(new Error('aborted'));
    await assert.rejects(body, { statusCode: 400 });
  });

  test('in chunks of one byte takes little more memory than its bytes', async () => {
    const payload = new PassThrough();
    const body = readBody(payload as never, 65_536);
    const kept: WeakRef<Buffer>[] = [];
    for (let index = 0; index < 60_000; index += 1) {
      const chunk = Buffer.from([1]);
      kept.push(new WeakRef(chunk));
      payload.write(chunk);
      if (index % 1_000 === 0) await new Promise(setImmediate);
    }
    await new Promise(setImmediate);
    collectGarbage();
    await new Promise(setImmediate);
    const alive = kept.filter((one) => one.deref() !== undefined).length;
    assert.ok(alive < 2_000, `${alive} chunks are kept`);
    payload.end();
    assert.equal((await body).length, 60_000);
  });
});
