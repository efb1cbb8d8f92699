// A thread in place of `outside-exchange.ts`. It tells its limits, and ends when it is asked to.
import { parentPort, resourceLimits } from 'node:worker_threads';
import { type Order, type Outcome, readyId } from '../../../../src/capabilities/oidc/clients/outside-thread.ts';

parentPort?.on('message', ({ id, call }: Order) => {
  if (call?.url === 'end') process.exit(1);
  const body = Buffer.from(JSON.stringify(resourceLimits));
  if (call !== undefined)
    parentPort?.postMessage({ id, response: { status: 200, headers: [], body } } satisfies Outcome);
});
parentPort?.postMessage({ id: readyId } satisfies Outcome);
