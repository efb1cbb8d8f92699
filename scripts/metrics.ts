import { type MetricObject, Registry } from '@prometheus-io/client';
import { announceMetrics } from '../src/core/telemetry/cluster-metrics.ts';
import { createInstruments } from '../src/core/telemetry/instruments.ts';
import { asCode, asTable, inCell } from './markdown.ts';

/** Every metric of Janua, from the registry that Prometheus reads. */
export function makeMetricsPage(made: string): string {
  const registry = new Registry();
  createInstruments(
    registry,
    { events: [], refusals: [] },
    { hashing: () => ({ underWay: 0, waiting: 0 }), queuedMails: async () => 0 },
  );
  announceMetrics(registry);
  // Its types leave out the labels.
  const metrics = registry.getMetricsAsArray() as (MetricObject & { readonly labelNames: readonly string[] })[];
  return `# Metrics

${made} [Metrics, traces and logs](../observability.md) says how to read them.

${asTable(
  ['metric', 'type', 'labels', 'meaning'],
  metrics.map(({ name, type, labelNames, help }) => [
    asCode(name),
    type,
    labelNames.map(asCode).join(', '),
    inCell(help),
  ]),
)}
`;
}
