import cluster, { type Worker } from 'node:cluster';
import { Gauge, Registry } from '@prometheus-io/client';
import { inTime } from '../faults/in-time.ts';

/** Milliseconds in which a worker must send its figures. */
const patience = 2000;

/** Milliseconds that the primary may take to add the counts of a worker that ends. */
const farewell = 1000;

type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** Messages between a worker and its primary. As in `Report`, fields may only be added. */
type Message =
  /** From a worker that is ready to send figures. */
  | { readonly figures: 'here' }
  | { readonly figures: 'wanted' }
  | { readonly figures: 'now'; readonly values: Figures }
  /** From a worker that is ending. It waits for `taken`. */
  | { readonly figures: 'last'; readonly values: Figures }
  | { readonly figures: 'taken' };

/** A worker that has figures. */
interface Source {
  readonly worker: Worker;
  /** The counts in its last answer. */
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
  // The server started with this process, not with its latest worker. `first` prefers this value to the workers'.
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    registers: [own],
    aggregator: 'first',
  }).set(Math.round(Date.now() / 1000 - process.uptime()));

  cluster.on('message', (worker, message: Message | null) => {
    const source = sources.get(worker.id);
    switch (message?.figures) {
      case 'here':
        sources.set(worker.id, { worker, counts: [], asked: undefined });
        break;
      case 'now':
        source?.asked?.resolve(message.values);
        break;
      case 'last':
        sources.delete(worker.id);
        source?.asked?.resolve(message.values);
        past = sum([past, message.values]).getMetricsAsArray() as Figures;
        worker.send({ figures: 'taken' } satisfies Message);
        break;
    }
  });
  cluster.on('exit', ({ id }) => {
    const source = sources.get(id);
    if (source === undefined) return;
    // The worker was killed. Its counts since the last scrape are lost.
    sources.delete(id);
    source.asked?.resolve(undefined);
    past = sum([past, source.counts]).getMetricsAsArray() as Figures;
  });

  return async () => {
    // A worker that ends meanwhile also answers below. Its counts must not be added twice.
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
    source.asked.promise.then((figures) => {
      source.asked = undefined;
      source.counts = countsIn(figures ?? []);
    });
    source.worker.send({ figures: 'wanted' } satisfies Message);
  }
  return inTime(source.asked.promise, patience).catch(() => undefined);
}

/** Keeps only counts. Other figures, such as memory, have no meaning after the process has ended. */
const countsIn = (figures: Figures): Figures =>
  figures.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));

/**
 * Tells the primary that this worker has figures. Outside a cluster, the registry is that of a single process.
 * @returns a function that hands the final counts to the primary, so that they survive the worker
 */
export function announceMetrics(registry: Registry): () => Promise<void> {
  if (!cluster.isWorker) {
    addProcesses(registry, 1, () => 1);
    return async () => {};
  }
  const taken = Promise.withResolvers<void>();
  process.on('message', (message: Message | null) => {
    if (message?.figures === 'taken') taken.resolve();
    // If the figures cannot be read, the worker does not answer.
    if (message?.figures === 'wanted')
      registry.getMetricsAsJSON().then(
        (values) => tell({ figures: 'now', values }),
        () => {},
      );
  });
  tell({ figures: 'here' });
  return async () => {
    tell({ figures: 'last', values: countsIn(await registry.getMetricsAsJSON()) });
    await inTime(taken.promise, farewell).catch(() => {});
  };
}

/** Ignores errors, because the primary may be gone. */
function tell(message: Message): void {
  process.send?.(message, () => {});
}

function addProcesses(registry: Registry, expected: number, answered: () => number): void {
  const registers = [registry];
  new Gauge({ name: 'janua_processes_expected', help: 'Processes that are to serve.', registers }).set(expected);
  new Gauge({
    name: 'janua_processes_answered',
    help: 'Processes whose figures these are.',
    registers,
    collect() {
      this.set(answered());
    },
  });
}
