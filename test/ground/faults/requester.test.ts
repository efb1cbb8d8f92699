import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createProviderLoader } from '../../../src/capabilities/oidc/provider/loader.ts';
import type { RecordedEvent } from '../../../src/core/audit/event.ts';
import { createGroupCommit } from '../../../src/core/audit/group-commit.ts';
import { createReadiness } from '../../../src/core/stores/readiness.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import { createLeasedWork } from '../../../src/ground/database/leased-work.ts';
import { shareAnswer } from '../../../src/ground/database/share-answer.ts';
import { findRequester, workFor } from '../../../src/ground/faults/requester.ts';

const unexpected = async (): Promise<never> => assert.fail('the test did not expect this call');

/** Begins work that others wait for. `note` stands for its statements. */
const shared: Readonly<Record<string, (note: () => void) => Promise<unknown>>> = {
  'events that are stored together': (note) => createGroupCommit(async () => note()).add({} as RecordedEvent),
  'a check whether the stores work': (note) => createReadiness([['a store', async () => note()]]).findUnavailable(),
  'a read whose answer is shared': (note) => shareAnswer(async () => note(), 1000, Date.now).get(),
  'work under a lease': async (note) => {
    const work = createLeasedWork({
      ...{
        database: {} as Database,
        name: 'mail',
        lookInterval: 60_000,
        work: unexpected,
        onFault() {},
        now: Date.now,
      },
      async hasDue() {
        note();
        return false;
      },
    });
    work.start();
    await work.settled();
    await work.close(1000);
  },
  'a look whether there are applications': (note) => {
    const loader = createProviderLoader({
      ...{ loadKeys: unexpected, optionsFor: () => assert.fail(), onLoaded() {}, now: Date.now },
      async isNeeded() {
        note();
        return false;
      },
    });
    return loader.open();
  },
};

describe('what others wait for is work of the server, although a request has begun it', () => {
  for (const [name, begin] of Object.entries(shared))
    test(name, async () => {
      const requesters: unknown[] = [];
      const { promise, resolve } = Promise.withResolvers<unknown>();
      workFor(
        () => ['flood', 'flood ann'],
        () => {
          assert.deepEqual(findRequester(), ['flood', 'flood ann']);
          resolve(begin(() => requesters.push(findRequester())));
        },
      );
      await promise;
      assert.ok(requesters.length > 0);
      for (const requester of requesters) assert.equal(requester, undefined);
    });
});
