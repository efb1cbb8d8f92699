import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readFigures, sumOf } from './figures.ts';

const program = fileURLToPath(new URL('./cluster-worker.ts', import.meta.url));

test('the primary of a cluster gives the sum of its workers, and keeps the counts of one that has ended', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 60_000 });
  const { both, one } = JSON.parse(stdout) as { both: string; one: string };
  for (const text of [both, one]) {
    const figures = readFigures(text);
    assert.equal(sumOf(figures, 'janua_http_requests_total', { route: '/api/me', status: '200' }), 30);
    assert.equal(sumOf(figures, 'janua_http_request_duration_seconds_count', { route: '/api/me' }), 30);
    assert.equal(sumOf(figures, 'janua_logins_total', { outcome: 'succeeded' }), 0);
  }
});
