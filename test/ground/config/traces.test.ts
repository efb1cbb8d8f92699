import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findTraceSettings } from '../../../src/ground/config/traces.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
const usual = { serviceName: 'janua', ratio: 1, followsParent: true, scheduleDelay: 5000 };

describe('the variables of OpenTelemetry turn traces on', () => {
  for (const [name, environment, expected] of [
    ['but an empty environment does not', {}, undefined],
    ['but a name alone does not', { OTEL_SERVICE_NAME: 'door' }, undefined],
    ['with an endpoint', endpoint, usual],
    ['with an endpoint for traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://a.example/t' }, usual],
    ['with an exporter', { OTEL_TRACES_EXPORTER: 'otlp' }, usual],
    ['but OTEL_TRACES_EXPORTER=none does not', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }, undefined],
    ['but OTEL_SDK_DISABLED does not', { ...endpoint, OTEL_SDK_DISABLED: 'TRUE' }, undefined],
    [
      'with a name and a sampler',
      { ...endpoint, OTEL_SERVICE_NAME: 'door', OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
      { ...usual, serviceName: 'door', ratio: 0.1, followsParent: false },
    ],
  ] as const) {
    test(name, () => assert.deepEqual(findTraceSettings(environment), expected));
  }
});

test('unsupported trace variables are refused all at once, without their values', () => {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'canary:4317',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_TRACES_SAMPLER: 'canary',
    OTEL_TRACES_SAMPLER_ARG: '2',
    OTEL_BSP_SCHEDULE_DELAY: '-1',
  };
  assert.throws(
    () => findTraceSettings(environment),
    (error) => {
      assert.ok(error instanceof Misconfiguration);
      assert.equal(error.faults.length, 5);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    },
  );
  assert.throws(() => findTraceSettings({ OTEL_TRACES_EXPORTER: 'zipkin' }), /otlp or none/);
});
