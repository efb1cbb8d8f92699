import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { missing } from '../../servers/missing.ts';
import { type Proxy as FaultyNetwork, startProxy } from '../../servers/proxy.ts';
import type { ServerOptions, ThrowAwayServer } from '../../servers/throw-away-server.ts';
import { bound, type Served, serveOn } from './served.ts';
import { createSmallDisk, mayMount, type SmallDisk } from './small-disk.ts';

type Environment = Readonly<Record<string, string>>;

/** A kind of store server, and the faults that a test can cause. */
export interface FaultyStore {
  readonly name: 'PostgreSQL' | 'MariaDB' | 'Redis';
  /** Its name in answers and logs. */
  readonly part: string;
  start(options: ServerOptions): Promise<ThrowAwayServer>;
  /** The settings of a Janua server that reaches the store at that port. */
  env(port: number): Environment;
  /** Creates the accounts and databases that `env` names. */
  prepare?(url: string): Promise<void>;
  /** Takes the resources that any request needs. Returns a function that frees them. */
  exhaust(url: string): Promise<() => Promise<void>>;
  /** Makes the store read-only. Returns a function that makes it writable again. */
  makeReadOnly(url: string): Promise<() => Promise<void>>;
  /** The size of a disk that soon gets full, and arguments with which the server survives a full disk. */
  readonly smallDisk: { readonly megabytes: number; readonly args?: readonly string[] };
}

/** The rules for any fault of a store, tested on a real one behind a network that can fail. */
export function testFaults(store: FaultyStore): void {
  const skip = missing(store.name);

  describe(`Janua reports the fault and recovers when ${store.name}`, { skip }, () => {
    let disk: SmallDisk | undefined;
    let server: ThrowAwayServer;
    let proxy: FaultyNetwork;
    let served: Served;

    before(async () => {
      const { megabytes, args } = store.smallDisk;
      if (mayMount()) disk = await createSmallDisk(megabytes);
      server = await store.start({ durable: true, ...(disk && { folder: disk.folder, ...(args && { args }) }) });
      await store.prepare?.(server.url);
      proxy = await startProxy(server.port);
      served = await serveOn({ env: store.env(proxy.port) });
    });
    after(async () => {
      await served?.[Symbol.asyncDispose]();
      await proxy?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
      await disk?.[Symbol.asyncDispose]();
    });

    let linesBefore = 0;
    beforeEach(() => {
      linesBefore = served.count('store_unavailable');
    });

    /** Expects one line for the fault and one for its end, however many requests failed. */
    async function expectOneLineEach(): Promise<void> {
      assert.equal(served.count('store_unavailable') - linesBefore, 1);
      assert.equal(served.count('store_available'), served.count('store_unavailable'));
    }

    test('is stopped and started again', async () => {
      await server.stop();
      await served.expectUnavailable(store.part);
      await served.expectUnavailable(store.part);
      await server.start();
      await served.expectRecovery();
      await expectOneLineEach();
    });

    test('is killed during requests and started again, and keeps every acknowledged login', async () => {
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

    test('is frozen and resumed', async () => {
      server.freeze();
      await served.expectUnavailable(store.part);
      server.resume();
      await served.expectRecovery();
      await expectOneLineEach();
    });

    test('answers too late', async () => {
      proxy.delay(2 * bound);
      await served.expectUnavailable(store.part);
      proxy.pass();
      await served.expectRecovery();
    });

    test('is cut off, so that nothing arrives in either direction', async () => {
      proxy.hold();
      await served.expectUnavailable(store.part);
      proxy.pass();
      await served.expectRecovery();
    });

    test('has its open connections reset once, and then all connections', async () => {
      proxy.resetOnce();
      await served.expectRecovery();
      proxy.cut();
      await served.expectUnavailable(store.part);
      proxy.pass();
      await served.expectRecovery();
    });

    test('has no resources left for a request', async () => {
      const release = await store.exhaust(server.url);
      const answers = await Promise.all(Array.from({ length: 12 }, () => served.logIn()));
      for (const answer of answers) assert.equal(answer.status, 503);
      await release();
      await served.expectRecovery();
    });

    test('is read-only', async () => {
      const release = await store.makeReadOnly(server.url);
      await served.expectUnavailable(store.part, { readable: true });
      await release();
      await served.expectRecovery();
    });

    test('is down while Janua starts', async () => {
      const { workplace } = served;
      const second = await serveOn({ env: store.env(server.port), workplace, beforeStart: () => server.stop() });
      await second.expectUnavailable(store.part);
      await server.start();
      await second.expectRecovery();
      await served.expectRecovery();
    });

    test('has a full disk, on which logins are refused', {
      skip: !mayMount() && 'only root may mount a small disk',
    }, async () => {
      await disk?.fill();
      await served.fillUntilRefused();
      await disk?.clear();
      await served.expectRecovery();
    });
  });
}
