import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFail, type UpstreamFault } from '../../../src/capabilities/upstream/upstream-fault.ts';

for (const [reason, error] of [
  ['unreachable', new TypeError('fetch failed')],
  ['unreachable', Object.assign(new Error('timed out'), { code: 'OAUTH_TIMEOUT' })],
  ['unreachable', Object.assign(new Error('busy'), { status: 503 })],
  ['denied', Object.assign(new Error('no'), { error: 'access_denied' })],
  ['invalid-response', Object.assign(new Error('unexpected'), { code: 'OAUTH_INVALID_RESPONSE' })],
] as const)
  test(`a sign-in with a provider that fails is logged: ${reason}, ${error.message}`, () => {
    const logged: object[] = [];
    const fail = createFail('google', { warn: (details: object) => void logged.push(details) });
    assert.throws(
      () => fail(error),
      (thrown: UpstreamFault) => thrown.reason === reason,
    );
    const { code, error: answer } = error as { readonly code?: string; readonly error?: string };
    assert.deepEqual(logged, [
      { event: 'upstream_failed', upstream: 'google', reason, code, answer, detail: error.message },
    ]);
  });
