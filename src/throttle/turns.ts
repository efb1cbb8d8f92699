import { Unavailable } from '../faults/unavailable.ts';

/** Where only a few pieces of work run at once. */
export interface Place {
  readonly key: string;
  readonly atOnce: number;
}

export interface Turns {
  /**
   * Does work when it has its turn in each place. All work must take its places in the same order of kinds.
   * @throws {Unavailable} when too many are waiting
   */
  take<T>(places: readonly Place[], work: () => Promise<T>): Promise<T>;
}

interface Queue {
  underWay: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

export interface TurnOptions {
  /** The part that is named unavailable when too many are waiting. */
  readonly part: string;
  /** Most pieces of work that may wait in all places together (ASVS 2.4.1, 15.2.2). */
  readonly waiting: number;
  /** Pieces of work that this process can take at once. One place gets at most half of it. */
  readonly capacity: number;
}

/**
 * Runs work of this process a few at a time, first come, first served. When too many wait, the last one of the longest queue is
 * refused: a party that sends many leaves room for the others.
 */
export function createTurns({ part, waiting: mostWaiting, capacity }: TurnOptions): Turns {
  /** Only places in use have one. */
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

  /** @throws {Unavailable} when no other queue is longer than this one would be */
  function makeRoom({ waiting: own }: Queue): void {
    const busy = new Unavailable(part, 2);
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
      // The turn passes on at once, so that no other work can come in between.
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
