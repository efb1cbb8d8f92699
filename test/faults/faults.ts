import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { missing } from '../servers/missing.ts';
import { type Proxy as FaultyNetwork, startProxy } from '../servers/proxy.ts';
import type { ServerOptions, ThrowAwayServer } from '../servers/throw-away-server.ts';
import { type Served, serveOn } from './served.ts';
import { createSmallDisk, mayMount } from './small-disk.ts';

type Environment = Readonly<Record<string, string>>;

/** A kind of store server, and what can be done to it. */
export interface FaultyStore {
  readonly name: 'PostgreSQL' | 'MariaDB' | 'Redis';
  /** As answers and logs call it. */
  readonly part: string;
  start(options: ServerOptions): Promise<ThrowAwayServer>;
  /** The settings of a server that reaches it at that port. */
  env(port: number): Environment;
  /** Prepares an empty one, with whatever accounts and databases `env` names. */
  prepare?(url: string): Promise<void>;
  /** Takes all that could serve a request, and gives what lets it go again. */
  exhaust(url: string): Promise<() => Promise<void>>;
  /** Makes it read-only, and gives what makes it writable again. */
  makeReadOnly(url: string): Promise<() => Promise<void>>;
  /** Size of a disk on which it can start but not work for long, and arguments for a server that lives on when it is full. */
  readonly smallDisk: { readonly megabytes: number; readonly args?: readonly string[] };
}

/** What must hold whatever happens to a store: done to a real one, behind a network that can be made to fail. */
export function testFaults(store: FaultyStore): void {
  const skip = missing(store.name);

  describe(`${store.name} fails`, { skip }, () => {
    let server: ThrowAwayServer;
    let proxy: FaultyNetwork;
    let served: Served;

    before(async () => {
      server = await store.start({ durable: true });
      await store.prepare?.(server.url);
      proxy = await startProxy(server.port);
      served = await serveOn({ env: store.env(proxy.port) });
    });
    after(async () => {
      await served?.[Symbol.asyncDispose]();
      await proxy?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    });

    let linesBefore = 0;
    beforeEach(() => {
      linesBefore = served.count('store_unavailable');
    });

    /** Says it once, and once that it is over, however many have asked. */
    async function expectOneLineEach(): Promise<void> {
      assert.equal(served.count('store_unavailable') - linesBefore, 1);
      assert.equal(served.count('store_available'), served.count('store_unavailable'));
    }

    // Shows: S107 V16.3.4 V16.5.2 V16.5.3
    test('it is stopped, and started again', async () => {
      await server.stop();
      await served.expectUnavailable(store.part);
      await served.expectUnavailable(store.part);
      await server.start();
      await served.expectRecovery();
      await expectOneLineEach();
    });

    // Shows: S79 S107
    test('it is killed in the middle of requests, and started again: what was acknowledged is there', async () => {
      server.freeze();
      const underWay = Array.from({ length: 4 }, () => served.logIn());
      await setTimeout(200);
      await server.kill();
      for (const answer of await Promise.all(underWay)) {
        assert.equal(answer.status, 503);
        assert.deepEqual(answer.headers.getSetCookie(), []);
      }
      await served.expectUnavailable(store.part);
      await server.start();
      await served.expectRecovery();
    });

    // Shows: S107 V13.2.6 V16.5.2
    test('it is frozen, and goes on', async () => {
      server.freeze();
      await served.expectUnavailable(store.part);
      server.resume();
      await served.expectRecovery();
      await expectOneLineEach();
    });

    test('it answers after ten seconds', async () => {
      proxy.delay(10_000);
      await served.expectUnavailable(store.part);
      proxy.pass();
      await served.expectRecovery();
    });

    test('nothing arrives any more, neither way', async () => {
      proxy.hold();
      await served.expectUnavailable(store.part);
      proxy.pass();
      await served.expectRecovery();
    });

    test('connections are reset: those that are open, once, and all of them', async () => {
      proxy.resetOnce();
      await served.expectRecovery();
      proxy.cut();
      await served.expectUnavailable(store.part);
      proxy.pass();
      await served.expectRecovery();
    });

    test('there is nothing left to serve a request with', async () => {
      const release = await store.exhaust(server.url);
      const answers = await Promise.all(Array.from({ length: 12 }, () => served.logIn()));
      for (const answer of answers) assert.equal(answer.status, 503);
      await release();
      await served.expectRecovery();
    });

    test('it is read-only', async () => {
      const release = await store.makeReadOnly(server.url);
      await served.expectUnavailable(store.part, { readable: true });
      await release();
      await served.expectRecovery();
    });
  });

  test(`${store.name} is down at the start: the server comes up, and recovers by itself`, { skip }, async () => {
    await using server = await store.start({ durable: true });
    await store.prepare?.(server.url);
    await using served = await serveOn({ env: store.env(server.port), beforeStart: () => server.stop() });
    await served.expectUnavailable(store.part);
    await server.start();
    await served.expectRecovery();
  });

  test(`${store.name} has no space left`, {
    skip: skip || (!mayMount() && 'only root may mount a small disk'),
  }, async () => {
    const { megabytes, args } = store.smallDisk;
    await using disk = await createSmallDisk(megabytes);
    await using server = await store.start({ durable: true, folder: disk.folder, ...(args && { args }) });
    await store.prepare?.(server.url);
    await using served = await serveOn({ env: store.env(server.port) });
    await disk.fill();
    await served.fillUntilRefused();
    await disk.clear();
    await served.expectRecovery();
  });
}
