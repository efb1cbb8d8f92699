import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { createGuardedFetch } from '../../../../src/capabilities/oidc/clients/guarded-fetch.ts';
import { createDnsSearch, createSystemSearch } from '../../../../src/capabilities/oidc/clients/resolve-addresses.ts';
import { Unavailable } from '../../../../src/ground/faults/unavailable.ts';
import { startNameServer } from '../name-server.ts';

const [four, six] = ['203.0.113.7', '2001:0db8:0000:0000:0000:0000:0000:0007'];
const shortSix = '2001:db8::7';

const never = new AbortController().signal;

describe('a search at name servers', () => {
  for (const [about, answers, expected] of [
    ['both families', { 1: [four], 28: [six] }, [four, shortSix]],
    ['IPv4, while the question for IPv6 is never answered', { 1: [four] }, [four]],
    ['IPv6, while the question for IPv4 is never answered', { 28: [six] }, [shortSix]],
    ['IPv4 alone', { 1: [four], 28: [] }, [four]],
  ] as const)
    test(`finds the addresses of ${about}`, async () => {
      using server = await startNameServer(({ type }) => (answers as Record<number, readonly string[]>)[type]);
      assert.deepEqual(await createDnsSearch([server.address])('app.test', never), expected);
      assert.ok(server.asked.every(({ name }) => name === 'app.test'));
    });

  test('fails where the name is not there', async () => {
    using server = await startNameServer(() => []);
    await assert.rejects(createDnsSearch([server.address])('app.test', never), { code: 'ENOTFOUND' });
  });

  test('ends at once with its signal', async () => {
    using server = await startNameServer(() => undefined);
    const leaving = new AbortController();
    const search = createDnsSearch([server.address])('app.test', leaving.signal);
    await once(server.socket, 'message');
    leaving.abort();
    await assert.rejects(search, { code: 'ECANCELLED' });
  });

  test('holds up no other search, however many name servers never answer', async () => {
    using server = await startNameServer(() => undefined);
    const fetch = createGuardedFetch({ privateHosts: [], findAddresses: createDnsSearch([server.address]) });
    let ended = 0;
    const hosts = Array.from({ length: 10 }, (_, index) => `app${index}.test`);
    const fetches = hosts.map((host) =>
      fetch(`https://${host}/`, undefined, { party: host }).catch(() => {
        ended += 1;
      }),
    );
    while (new Set(server.asked.map(({ name }) => name)).size < hosts.length) await once(server.socket, 'message');
    for (let count = 0; count < 10; count += 1) await lookup('localhost');
    assert.equal(ended, 0, 'the system finds names while name servers of strangers are waited for');
    await Promise.all(fetches);
    assert.equal(ended, hosts.length);
  });
});

describe('a search by the system', () => {
  test('finds what the files of the system say', async () => {
    const found = await createSystemSearch('The part')('localhost', never);
    assert.ok(found.some((address) => address === '127.0.0.1' || address === '::1'));
  });

  test('takes one thread, however many names hang, and says that the server is at fault', async () => {
    const hanging: ((found: { address: string; family: number }[]) => void)[] = [];
    const hang = () => new Promise((resolve) => hanging.push(resolve));
    const find = createSystemSearch('The part', hang as unknown as typeof lookup);
    const deadline = new AbortController();
    const searches = ['a.internal', 'b.internal', 'a.internal'].map((host) => find(host, deadline.signal));
    await new Promise(setImmediate);
    assert.equal(hanging.length, 1);
    deadline.abort();
    for (const search of searches) await assert.rejects(search, Unavailable);
    const later = find('c.internal', never);
    assert.equal(hanging.length, 1, 'the first search goes on in its thread');
    hanging[0]?.([]);
    while (hanging.length < 2) await new Promise(setImmediate);
    hanging[1]?.([{ address: '10.0.0.1', family: 4 }]);
    assert.deepEqual(await later, ['10.0.0.1']);
  });
});
