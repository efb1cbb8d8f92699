import cluster, { type Worker } from 'node:cluster';
import { EventEmitter, once } from 'node:events';
import { Registry } from '@prometheus-io/client';
import { inTime } from '../faults/in-time.ts';
import { addGauge, addProcesses } from './instruments.ts';

/** Within this time a worker must send its figures. */
const answerMilliseconds = 2000;

/** Within this time a worker that ends sends its last figures. */
const lastFiguresMilliseconds = 1000;

type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** Messages between a worker and its primary. As in `Report`, fields may only be added. */
type Message =
  | { readonly figures: 'here' | 'wanted' }
  /** `last` comes unasked from a worker that is ending, so that its counts survive it. */
  | { readonly figures: 'now' | 'last'; readonly values: Figures };

/**
 * For the primary of a cluster. Reads the sum of all workers' figures, in Prometheus' text format. A killed or late worker contributes
 * its last known counts, because Prometheus takes a falling sum for a restart.
 * @param expected number of workers that should run
 */
export function createClusterReader(expected: number): () => Promise<string> {
  /** Workers that have figures, with the counts that they sent last. */
  const sources = new Map<Worker, Figures>();
  let past: Figures = [];
  let answered = 0;
  const answers = new EventEmitter();
  const own = new Registry();
  addProcesses(own, expected, () => answered);
  // `first` prefers this value to the workers': the server started with this process.
  const startTime = Math.round(Date.now() / 1000 - process.uptime());
  addGauge(own, 'process_start_time_seconds', 'Start time of the process in Unix seconds.', () => startTime, 'first');

  cluster.on('message', (worker, message: Message | null) => {
    if (message?.figures === 'here') sources.set(worker, []);
    if (message?.figures !== 'now' && message?.figures !== 'last') return;
    sources.set(worker, countsIn(message.values));
    answers.emit(String(worker.id), message.values);
  });
  // All messages of the worker have been read by then. If it was killed, its counts since the last scrape are lost.
  cluster.on('disconnect', (worker) => {
    past = sum([past, sources.get(worker) ?? []]).getMetricsAsArray() as Figures;
    sources.delete(worker);
    answers.emit(String(worker.id), undefined);
  });

  async function ask([worker, counts]: [Worker, Figures]) {
    const answer = once(answers, String(worker.id), { signal: AbortSignal.timeout(answerMilliseconds) });
    worker.send({ figures: 'wanted' } satisfies Message, () => {});
    const [figures] = await answer.catch(() => []);
    return { isAnswered: figures !== undefined, figures: figures ?? counts };
  }

  return async () => {
    // The counts of a worker that ends meanwhile are in its answer. They must not be added twice.
    const before = past;
    const found = await Promise.all([...sources].map(ask));
    answered = found.filter(({ isAnswered }) => isAnswered).length;
    return sum([await own.getMetricsAsJSON(), before, ...found.map(({ figures }) => figures)]).metrics();
  };
}

/** Adds up figures. For delays it takes the longest, which shows a single stuck worker among many. */
function sum(all: readonly Figures[]): Registry {
  const longest = (figure: Figures[number]) =>
    figure.aggregator === 'average' ? { ...figure, aggregator: 'max' as const } : figure;
  return Registry.aggregate(all.map((figures) => figures.map(longest)));
}

/** Keeps only counts. Other figures, such as memory, have no meaning after the process has ended. */
const countsIn = (figures: Figures): Figures =>
  figures.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));

/** Tells the primary that this worker has figures. @returns a function that sends it the last ones */
export function announceMetrics(registry: Registry): () => Promise<void> {
  if (!cluster.isWorker) {
    addProcesses(registry, 1, () => 1);
    return async () => {};
  }
  const sendFigures = async (figures: 'now' | 'last') => send({ figures, values: await registry.getMetricsAsJSON() });
  process.on('message', (message: Message | null) => {
    // If the figures cannot be read, the worker does not answer.
    if (message?.figures === 'wanted') sendFigures('now').catch(() => {});
  });
  send({ figures: 'here' });
  return () => inTime(sendFigures('last'), lastFiguresMilliseconds).catch(() => {});
}

/** Resolves when the message is on its way, or cannot be sent because the primary is gone. */
const send = (message: Message) => new Promise<void>((resolve) => process.send?.(message, () => resolve()));
