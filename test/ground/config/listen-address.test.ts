import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListenAddress } from '../../../src/ground/config/listen-address.ts';

for (const [text, expected] of [
  ['9464', { host: '127.0.0.1', port: 9464 }],
  ['0', { host: '127.0.0.1', port: 0 }],
  ['0.0.0.0:9464', { host: '0.0.0.0', port: 9464 }],
  ['metrics.internal:1', { host: 'metrics.internal', port: 1 }],
  ['[::1]:9464', { host: '::1', port: 9464 }],
  ['', undefined],
  ['65536', undefined],
  ['127.0.0.1', undefined],
  ['127.0.0.1:', undefined],
  [':9464', undefined],
  ['::1:9464', undefined],
  ['[127.0.0.1]:9464', undefined],
  ['http://127.0.0.1:9464', undefined],
  ['127.0.0.1:9464/metrics', undefined],
] as const) {
  test(`"${text}" is ${expected === undefined ? 'not ' : ''}an address to listen on`, () => {
    assert.deepEqual(parseListenAddress(text), expected);
  });
}
