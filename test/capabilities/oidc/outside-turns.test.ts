import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { createDocumentFetch } from '../../../src/capabilities/oidc/clients/documents.ts';
import { createGuardedFetch, outsideLimits } from '../../../src/capabilities/oidc/clients/guarded-fetch.ts';
import { outsidePart } from '../../../src/capabilities/oidc/clients/outside-thread.ts';
import { createRememberedAnswers } from '../../../src/capabilities/oidc/clients/remembered-answers.ts';
import { createSeparateFetch } from '../../../src/capabilities/oidc/clients/separate-turns.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';

const { atOnce, ofParty, ofHost, waiting } = outsideLimits;

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

const turn = () => new Promise(setImmediate);

/** Searches for addresses that end, without any, when a test says so. */
function createHangingSearch() {
  const gates: PromiseWithResolvers<readonly string[]>[] = [];
  return {
    count: () => gates.length,
    find(): Promise<readonly string[]> {
      const gate = Promise.withResolvers<readonly string[]>();
      gates.push(gate);
      return gate.promise;
    },
    /** Ends the searches until none is under way. */
    async end(all: readonly Promise<unknown>[]) {
      const settled = Promise.allSettled(all);
      for (let ended = 0; ended < all.length; await turn())
        for (; ended < gates.length; ended += 1) gates[ended]?.resolve([]);
      return settled;
    },
  };
}

/** A server on loopback that keeps all connections open, and never answers. */
async function startSilentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    server,
    sockets,
    /** Gives the connections that have arrived, once some of the test's own have arrived that were begun later. */
    async settle() {
      const probes = 10;
      for (let count = 0; count < probes; count += 1) {
        const own = connect(port, '127.0.0.1');
        await once(own, 'connect');
        while (![...sockets].some(({ remotePort }) => remotePort === own.localPort)) await once(server, 'connection');
      }
      return sockets.size - probes;
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('connections to applications', () => {
  for (const [about, requests, expected] of [
    ['one party', (index: number) => [`https://app${index}.test/`, 'a'], ofParty],
    ['many parties', (index: number) => [`https://app${index}.test/`, `party ${index}`], atOnce],
    ['one name', (index: number) => [`https://app.test/${index}`, `party ${index}`], ofHost],
    ['one name with several ports', (index: number) => [`https://app.test:${index + 1}/`, `party ${index}`], ofHost],
    ['one document', () => ['https://app.test/', 'a'], 1],
  ] satisfies [string, (index: number) => [string, string], number][])
    test(`are ${expected} at once for ${about}`, async () => {
      const search = createHangingSearch();
      const fetch = createGuardedFetch({ privateHosts: [], findAddresses: search.find });
      const sent = numbers(40).map((index) => {
        const [address, party] = requests(index);
        return fetch(address, undefined, { party });
      });
      await turn();
      assert.equal(search.count(), expected);
      await search.end(sent);
      assert.equal(search.count(), 40);
    });

  test('are two at once for ten names of one server', async (t) => {
    using silent = await startSilentServer();
    const other = createHttpServer((_request, response) => response.end()).listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const fetch = createGuardedFetch({
      privateHosts: ['127.0.0.1'],
      findAddresses: async () => ['127.0.0.1'],
      isPublic: () => true,
    });
    const sent = numbers(10).map((index) =>
      fetch(`https://app${index}.test:${silent.port}/`, undefined, { party: `party ${index}` }),
    );
    const ended = Promise.allSettled(sent);
    while (silent.sockets.size < ofHost) await once(silent.server, 'connection');
    // The thread begins exchanges in the order in which it gets them, so that all others have begun when this one ends.
    await fetch(`http://127.0.0.1:${port}/`, undefined, { party: 'later' });
    assert.equal(await silent.settle(), ofHost);
    for (const socket of silent.sockets) socket.destroy();
    silent.server.on('connection', (socket) => socket.destroy());
    assert.equal((await ended).filter(({ status }) => status === 'rejected').length, 10);
  });

  test('of a flood refuse the last of the party that floods, and no other', async () => {
    const search = createHangingSearch();
    let said = 0;
    const fetch = createGuardedFetch({ privateHosts: [], findAddresses: search.find, onFull: () => (said += 1) });
    const flood = numbers(800).map((index) => fetch(`https://evil${index}.test/`, undefined, { party: 'evil' }));
    const faults = Promise.allSettled(flood);
    await turn();
    const other = fetch('https://app.test/', undefined, { party: 'other' });
    await turn();
    assert.equal(search.count(), ofParty + 1, 'the other one does not wait');
    await search.end([...flood.slice(0, ofParty + waiting), other]);
    await assert.rejects(other, { name: 'AddressRefused' });
    const refused = (await faults).filter(
      (one) => one.status === 'rejected' && one.reason instanceof Unavailable && one.reason.part === outsidePart,
    );
    assert.deepEqual([refused.length, said], [800 - ofParty - waiting, 1]);
  });
});

describe('a flood of documents', () => {
  const listed = 'https://listed.test/client.json';
  for (const [about, address, init, clientId] of [
    ['a notice', 'https://app.test/logout', { method: 'POST' }, undefined],
    ['the document of a listed host', listed, undefined, undefined],
    ['the keys of a listed application on another host', 'https://keys.test/', undefined, listed],
  ] as const)
    test(`of 140 networks does not delay ${about}`, async () => {
      const search = createHangingSearch();
      const isListed = (one: string) => one.startsWith('https://listed.test/');
      const fetch = createSeparateFetch({ privateHosts: [], findAddresses: search.find }, isListed);
      const flood = numbers(140).map((index) =>
        fetch(`https://evil${index}.test/`, undefined, { party: `network ${index}` }),
      );
      const ended = Promise.allSettled(flood);
      await turn();
      assert.equal(search.count(), atOnce);
      const other = fetch(address, init, { party: 'other', clientId });
      await turn();
      assert.equal(search.count(), atOnce + 1);
      await search.end([...flood.slice(0, atOnce + waiting), other]);
      await assert.rejects(other, { name: 'AddressRefused' });
      await ended;
    });
});

describe('documents and keys', () => {
  const address = 'https://app.test/client.json';

  /** Fetches by answers in turn. */
  function createFetch(...answers: readonly (() => Response)[]) {
    const clock = { now: 0 };
    let asked = 0;
    const fetch = createDocumentFetch(
      async (_address, _init, { within = (call) => call() }) =>
        within(async () => {
          asked += 1;
          return (answers[Math.min(asked, answers.length) - 1] ?? assert.fail())();
        }),
      () => clock.now,
    );
    return { clock, asked: () => asked, fetch: () => fetch(address, undefined, { party: 'a' }) };
  }

  const fail = (error: Error) => () => {
    throw error;
  };

  for (const [about, answer] of [
    ['keys', () => new Response('{"keys":[]}')],
    ['text that is no document', () => new Response('<p>')],
    ['another status', () => new Response('', { status: 404 })],
    ['a broken connection', fail(new Error('ECONNRESET'))],
  ] as const)
    test(`are fetched once in 30 seconds: ${about}`, async () => {
      const { clock, asked, fetch } = createFetch(answer);
      const results: string[] = [];
      for (const time of [0, 0, 29_999, 30_000]) {
        clock.now = time;
        results.push(
          await fetch().then(
            (response) => response.text(),
            (error: Error) => error.message,
          ),
        );
      }
      assert.equal(new Set(results).size, 1);
      assert.equal(asked(), 2);
    });

  test('are asked for again at once after a failure of Janua itself', async () => {
    const { asked, fetch } = createFetch(fail(new Unavailable(outsidePart, 2)), () => new Response('{"keys":[]}'));
    await assert.rejects(fetch(), Unavailable);
    assert.equal(await (await fetch()).text(), '{"keys":[]}');
    assert.equal(asked(), 2);
  });

  test('are one fetch for all who wait for them', async () => {
    let searches = 0;
    const guarded = createGuardedFetch({
      privateHosts: [],
      async findAddresses() {
        searches += 1;
        await turn();
        return [];
      },
    });
    const fetch = createDocumentFetch(guarded, () => 0);
    const sent = numbers(50).map((index) => fetch(address, undefined, { party: `party ${index}` }));
    for (const one of sent) await assert.rejects(one, { name: 'AddressRefused' });
    assert.equal(searches, 1);
  });
});

describe('keys of an application', () => {
  const rsa = (bits: number, e = 'AQAB') => ({ kty: 'RSA', e, n: Buffer.alloc(bits / 8, 255).toString('base64url') });
  const ec = (crv: string) => ({ kty: 'EC', crv, x: 'x', y: 'y' });
  const places = [
    ['in its document', 'https://app.test/client.json', (keys: object[]) => ({ jwks: { keys } })],
    ['at jwks_uri', undefined, (keys: object[]) => ({ keys })],
  ] as const;

  for (const [place, clientId, publish] of places)
    test(`count if their signatures are checked quickly, and ten at most: ${place}`, async () => {
      async function countOf(key: object, count = 1): Promise<number> {
        const body = JSON.stringify({ client_id: clientId, ...publish(numbers(count).map(() => key)) });
        const fetch = createDocumentFetch(
          async (_address, _init, { within = (call) => call() }) => within(async () => new Response(body)),
          () => 0,
        );
        const read = (await (await fetch('https://app.test/', undefined, { party: 'a' })).json()) as {
          readonly keys?: unknown[];
          readonly jwks?: { readonly keys: unknown[] };
        };
        return (read.keys ?? read.jwks?.keys ?? assert.fail()).length;
      }
      const { e: long, n } = rsa(2048, rsa(2048).n);
      for (const [key, expected] of [
        [rsa(2048), 1],
        [rsa(4096), 1],
        [ec('P-256'), 1],
        [{ kty: 'RSA', e: long, n }, 0],
        [rsa(2048, 'AQAAAAE'), 0],
        [rsa(1024), 0],
        [rsa(4104), 0],
        [rsa(16_384), 0],
        [{ ...ec('P-256'), use: 'enc' }, 0],
        [{ kty: 'RSA', e: 'AQAB' }, 0],
        [ec('P-521'), 0],
        [{ kty: 'oct', k: 'x' }, 0],
      ] as const)
        assert.equal(await countOf(key), expected, JSON.stringify(key).slice(0, 60));
      assert.equal(await countOf(ec('P-256'), 40), 10);
    });
});

describe('what is remembered of documents and keys', () => {
  const answer = (length: number) => ({ text: 'x'.repeat(length), headers: [] });

  for (const [about, limits, length] of [
    ['answers', { answers: 10, bytes: 1e6, milliseconds: 1_000 }, 1],
    ['bytes', { answers: 1_000, bytes: 35_000, milliseconds: 1_000 }, 1_000],
  ] as const)
    test(`has a limit of ${about}, and loses what is oldest of the network with most`, () => {
      const remembered = createRememberedAnswers(() => 0, limits);
      remembered.keep('https://app.test/', 'other', answer(length));
      for (const index of numbers(100)) remembered.keep(`https://evil.test/${index}`, 'evil', answer(length));
      const left = numbers(100).filter((index) => remembered.find(`https://evil.test/${index}`) !== undefined);
      assert.deepEqual(left, numbers(100).slice(-left.length));
      assert.ok(left.length === 9 || about === 'bytes', `${left.length}`);
      assert.ok(left.length * (length + 100) < limits.bytes && left.length < 12, `${left.length}`);
      assert.ok(remembered.find('https://app.test/'));
    });

  test('ends by itself', () => {
    let time = 0;
    const remembered = createRememberedAnswers(() => time);
    remembered.keep('https://app.test/', 'a', answer(1));
    time = 29_999;
    assert.ok(remembered.find('https://app.test/'));
    time = 30_000;
    assert.equal(remembered.find('https://app.test/'), undefined);
  });
});
