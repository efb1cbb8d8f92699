import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMeasures } from '../../../src/core/telemetry/measures.ts';
import { createMetrics } from '../../../src/core/telemetry/metrics.ts';
import { watchCalls } from '../../../src/core/telemetry/watch-calls.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { readFigures, sumOf } from './figures.ts';

const part = {
  size: 3,
  async double(value: number) {
    return value * 2;
  },
  async fail(): Promise<never> {
    throw new Unavailable('The database', 5);
  },
  *list() {
    yield 1;
  },
  own() {
    return this.size;
  },
};

test('a watched part behaves as it did before', async () => {
  const seen: string[] = [];
  const watched = watchCalls(part, (method, call) => {
    seen.push(method);
    return call();
  });
  assert.equal(watched.size, 3);
  assert.equal(await watched.double(21), 42);
  assert.deepEqual([...watched.list()], [1]);
  assert.equal(watched.own(), 3);
  await assert.rejects(watched.fail(), Unavailable);
  assert.deepEqual(seen, ['double', 'list', 'own', 'fail']);
});

test('parts are not wrapped if metrics and traces are off', async () => {
  const measures = await openMeasures({
    metrics: false,
    kinds: { events: [], refusals: [] },
    traces: undefined,
    version: '0',
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  assert.equal(measures.watchStore('database', 'x', part), part);
  assert.equal(measures.metrics, undefined);
  assert.equal(measures.traces, undefined);
});

test('calls are timed, and failures are counted by kind', async () => {
  const metrics = createMetrics({ events: [], refusals: [] });
  const watched = metrics.watchStore('redis', 'sessions', part);
  await watched.double(1);
  await watched.fail().catch(() => {});
  const figures = readFigures(await metrics.read());
  const labels = { store: 'redis', operation: 'sessions.double' };
  assert.equal(sumOf(figures, 'janua_store_duration_seconds_count', labels), 1);
  const failed = { store: 'redis', operation: 'sessions.fail', error: 'unavailable' };
  assert.equal(sumOf(figures, 'janua_store_errors_total', failed), 1);
});
