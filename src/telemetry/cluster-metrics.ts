import cluster, { type Worker } from 'node:cluster';
import { Registry } from '@prometheus-io/client';
import { inTime } from '../faults/in-time.ts';
import { addProcesses, addStartTime } from './instruments.ts';

/** Within this time a worker must send its figures. */
const answerMilliseconds = 2000;

/** Within this time a worker that ends sends its last figures. */
const lastFiguresMilliseconds = 1000;

type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** Messages between a worker and its primary. As in `Report`, fields may only be added. */
type Message =
  /** From a worker that is ready to send figures. */
  | { readonly figures: 'here' }
  | { readonly figures: 'wanted' }
  | { readonly figures: 'now'; readonly values: Figures }
  /** From a worker that is ending, unasked, so that its counts survive it. */
  | { readonly figures: 'last'; readonly values: Figures };

/** A worker that has figures. */
interface Source {
  readonly worker: Worker;
  /** The counts that it sent last. */
  counts: Figures;
  /** The open question, so that a worker is not asked twice at the same time. */
  asked: PromiseWithResolvers<Figures | undefined> | undefined;
}

/**
 * For the primary of a cluster. Reads the sum of all workers' figures, in Prometheus' text format. A killed or late worker contributes
 * its last known counts, because Prometheus takes a falling sum for a restart.
 * @param expected number of workers that should run
 */
export function createClusterReader(expected: number): () => Promise<string> {
  const sources = new Map<number, Source>();
  /** The counts of workers that have ended. */
  let past: Figures = [];
  let answered = 0;
  const own = new Registry();
  addProcesses(own, expected, () => answered);
  addStartTime(own);

  cluster.on('message', (worker, message: Message | null) => {
    const source = sources.get(worker.id);
    if (message?.figures === 'here') sources.set(worker.id, { worker, counts: [], asked: undefined });
    if (source === undefined || (message?.figures !== 'now' && message?.figures !== 'last')) return;
    source.counts = countsIn(message.values);
    source.asked?.resolve(message.values);
    source.asked = undefined;
  });
  // All messages of the worker have been read by then. If it was killed, its counts since the last scrape are lost.
  cluster.on('disconnect', ({ id }) => {
    const source = sources.get(id);
    if (source === undefined) return;
    sources.delete(id);
    source.asked?.resolve(undefined);
    past = sum([past, source.counts]).getMetricsAsArray() as Figures;
  });

  return async () => {
    // The counts of a worker that ends meanwhile are in its answer. They must not be added twice.
    const before = past;
    const asked = [...sources.values()].filter(({ worker }) => worker.isConnected());
    const answers = await Promise.all(asked.map(ask));
    answered = answers.filter((answer) => answer !== undefined).length;
    const figures = answers.map((answer, index) => answer ?? asked[index]?.counts ?? []);
    return sum([await own.getMetricsAsJSON(), before, ...figures]).metrics();
  };
}

/** Adds up figures. For delays it takes the longest, which shows a single stuck worker among many. */
function sum(all: readonly Figures[]): Registry {
  const longest = (figure: Figures[number]) =>
    figure.aggregator === 'average' ? { ...figure, aggregator: 'max' as const } : figure;
  return Registry.aggregate(all.map((figures) => figures.map(longest)));
}

/** Gives undefined if the worker does not answer in time. */
async function ask(source: Source): Promise<Figures | undefined> {
  if (source.asked === undefined) {
    source.asked = Promise.withResolvers();
    source.worker.send({ figures: 'wanted' } satisfies Message);
  }
  return inTime(source.asked.promise, answerMilliseconds).catch(() => undefined);
}

/** Keeps only counts. Other figures, such as memory, have no meaning after the process has ended. */
const countsIn = (figures: Figures): Figures =>
  figures.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));

/**
 * Tells the primary that this worker has figures. Outside a cluster, the registry is that of a single process.
 * @returns a function that sends the final figures to the primary
 */
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
