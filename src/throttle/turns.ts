import { Unavailable } from '../faults/unavailable.ts';

/** Where so many at once may have their turn. */
export interface Place {
  readonly key: string;
  readonly atOnce: number;
}

export interface Turns {
  /**
   * Does work when it has its turn in each place. All work takes its places in the same order of kinds.
   * @throws {Unavailable} when too many are waiting
   */
  take<T>(places: readonly Place[], work: () => Promise<T>): Promise<T>;
}

interface Queue {
  underWay: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

export interface TurnOptions {
  /** How many may wait, all places together (ASVS 2.4.1, 15.2.2). */
  readonly waiting: number;
  /** How many may be under way, all places together: no place gets more than half of it. */
  readonly capacity: number;
}

/**
 * Lets so many at once and the others wait, first come, first served, within this process. Where too many wait, the last one of the
 * longest queue has to go: a party that sends many leaves room for all others.
 */
export function createTurns({ waiting: mostWaiting, capacity }: TurnOptions): Turns {
  /** Only of places where an attempt is. */
  const queues = new Map<string, Queue>();
  const mostAtOnce = Math.max(1, Math.floor(capacity / 2));
  let waiting = 0;

  async function begin({ key, atOnce }: Place): Promise<Queue> {
    const queue = queues.get(key) ?? { underWay: 0, waiting: [] };
    if (queue.underWay < Math.min(atOnce, mostAtOnce)) {
      queue.underWay += 1;
      queues.set(key, queue);
      return queue;
    }
    if (waiting >= mostWaiting) makeRoom(queue);
    waiting += 1;
    const turn = Promise.withResolvers<void>();
    queue.waiting.push(turn);
    await turn.promise;
    return queue;
  }

  /** @throws {Unavailable} where no other queue is longer than this one would be */
  function makeRoom({ waiting: own }: Queue): void {
    const busy = new Unavailable('Password hashing', 2);
    const [longest = []] = [...queues.values()].map((queue) => queue.waiting).sort((a, b) => b.length - a.length);
    if (longest.length < own.length + 2) throw busy;
    waiting -= 1;
    longest.pop()?.reject(busy);
  }

  function end(key: string, queue: Queue): void {
    const next = queue.waiting.shift();
    if (next === undefined) {
      queue.underWay -= 1;
      if (queue.underWay === 0) queues.delete(key);
    } else {
      // The turn goes over to the next: no other attempt can come in between.
      waiting -= 1;
      next.resolve();
    }
  }

  async function take<T>([first, ...others]: readonly Place[], work: () => Promise<T>): Promise<T> {
    if (first === undefined) return work();
    const queue = await begin(first);
    try {
      return await take(others, work);
    } finally {
      end(first.key, queue);
    }
  }

  return { take };
}
