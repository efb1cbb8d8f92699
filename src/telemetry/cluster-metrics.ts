import cluster, { type Worker } from 'node:cluster';
import { Gauge, Registry } from '@prometheus-io/client';
import { inTime } from '../faults/in-time.ts';

/** Milliseconds in which a worker must send its figures. */
const patience = 2000;

/** Milliseconds that the primary is given to take over the counts of a worker that ends. */
const farewell = 1000;

type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** The messages between a worker and its primary. As with `Report`, only additions are allowed. */
type Message =
  /** By the worker: it can be asked. */
  | { readonly figures: 'here' }
  | { readonly figures: 'wanted' }
  | { readonly figures: 'now'; readonly values: Figures }
  /** By the worker, which ends when they are taken. */
  | { readonly figures: 'last'; readonly values: Figures }
  | { readonly figures: 'taken' };

/** A worker that has figures. */
interface Source {
  readonly worker: Worker;
  /** What it had counted when it answered last. */
  counts: Figures;
  /** There as long as it has not answered: it is asked but once. */
  asked: PromiseWithResolvers<Figures | undefined> | undefined;
}

/**
 * For the primary of a cluster: reads the figures of all its workers as one, in Prometheus' text format. Of a worker that does not
 * answer in time, or that is killed, they are what it had counted before, since a sum that falls and rises again is taken for a restart.
 * @param expected how many workers there are to be
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
    // It was killed, and its counts since the last scrape are lost.
    sources.delete(id);
    source.asked?.resolve(undefined);
    past = sum([past, source.counts]).getMetricsAsArray() as Figures;
  });

  return async () => {
    // A worker that ends meanwhile is asked here too, and must not count twice.
    const before = past;
    const asked = [...sources.values()].filter(({ worker }) => worker.isConnected());
    const answers = await Promise.all(asked.map(ask));
    answered = answers.filter((answer) => answer !== undefined).length;
    const figures = answers.map((answer, index) => answer ?? asked[index]?.counts ?? []);
    return sum([await own.getMetricsAsJSON(), before, ...figures]).metrics();
  };
}

/** The sum of what can be added. Of delays it is the longest, by which one that stands still is seen among many. */
function sum(all: readonly Figures[]): Registry {
  const longest = (figure: Figures[number]) =>
    figure.aggregator === 'average' ? { ...figure, aggregator: 'max' as const } : figure;
  return Registry.aggregate(all.map((figures) => figures.map(longest)));
}

/** Undefined where it does not answer in time. */
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

/** Other figures, such as memory, belong to a process that still runs. */
const countsIn = (figures: Figures): Figures =>
  figures.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));

/**
 * For a worker of a cluster: tells the primary that here are figures to be added. Elsewhere they are those of one process.
 * @returns what hands them over for good, so that a worker that ends takes no counts away
 */
export function announceMetrics(registry: Registry): () => Promise<void> {
  if (!cluster.isWorker) {
    addProcesses(registry, 1, () => 1);
    return async () => {};
  }
  const taken = Promise.withResolvers<void>();
  process.on('message', (message: Message | null) => {
    if (message?.figures === 'taken') taken.resolve();
    // If they cannot be read, there is no answer.
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

/** To a primary that may be gone. */
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
