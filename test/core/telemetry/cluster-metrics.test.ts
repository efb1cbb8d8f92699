import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createMetrics } from '../../../src/core/telemetry/metrics.ts';
import { readFigures, sumOf } from './figures.ts';

const program = fileURLToPath(new URL('./cluster-worker.ts', import.meta.url));

test('the primary of a cluster adds up its workers, and keeps the counts of an ended worker', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 60_000 });
  const { both, one } = JSON.parse(stdout) as { both: string; one: string };
  const texts = [readFigures(both), readFigures(one)] as const;
  for (const figures of texts) {
    assert.equal(sumOf(figures, 'janua_http_requests_total', { route: '/api/me', status: '200' }), 30);
    assert.equal(sumOf(figures, 'janua_http_request_duration_seconds_count', { route: '/api/me' }), 30);
    assert.equal(sumOf(figures, 'janua_logins_total', { outcome: 'succeeded' }), 0);
    assert.equal(sumOf(figures, 'janua_processes_expected'), 2);
  }
  assert.deepEqual(
    texts.map((figures) => sumOf(figures, 'janua_processes_answered')),
    [2, 1],
  );
  const alone = createMetrics({ events: [], refusals: [] });
  const names = (text: string) => new Set(text.match(/^# TYPE \w+/gm));
  assert.deepEqual(names(both).difference(names(await alone.read())), new Set());
  assert.deepEqual(
    names(await alone.read()).difference(names(both)),
    new Set(),
    'both expositions have the same figures',
  );
  await alone.close();
  for (const figures of texts) {
    const age = Date.now() / 1000 - (sumOf(figures, 'process_start_time_seconds') ?? 0);
    assert.ok(age > -1 && age < 60, `${age}`);
  }
  // The counts of the ended worker are kept, but not its memory.
  const [more = 0, less = 0] = texts.map((figures) => sumOf(figures, 'process_resident_memory_bytes'));
  assert.ok(less > 0 && less < 0.75 * more, `${less} of ${more}`);
});
