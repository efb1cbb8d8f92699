import { Unavailable } from '../unavailable.ts';

/** Of what so many at once may have their turn. */
export interface Place {
  readonly key: string;
  readonly atOnce: number;
}

export interface Turns {
  /**
   * Does work when it has its turn in each place. Whoever takes several takes them in the same order of kinds as everybody else.
   * @throws {Unavailable} when too many are waiting already
   */
  take<T>(places: readonly Place[], work: () => Promise<T>): Promise<T>;
}

interface Queue {
  underWay: number;
  readonly waiting: (() => void)[];
}

/**
 * Lets so many at once and the others wait, first come, first served, within this process.
 * @param mostWaiting how many may wait, all places together (ASVS 2.4.1, 15.2.2)
 */
export function createTurns(mostWaiting: number): Turns {
  /** Only of places where somebody is. */
  const queues = new Map<string, Queue>();
  let waiting = 0;

  async function begin({ key, atOnce }: Place): Promise<Queue> {
    const queue = queues.get(key) ?? { underWay: 0, waiting: [] };
    if (queue.underWay < atOnce) {
      queue.underWay += 1;
      queues.set(key, queue);
      return queue;
    }
    if (waiting >= mostWaiting) throw new Unavailable('Password hashing', 2);
    waiting += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    queue.waiting.push(resolve);
    await promise;
    return queue;
  }

  function end(key: string, queue: Queue): void {
    const next = queue.waiting.shift();
    if (next === undefined) {
      queue.underWay -= 1;
      if (queue.underWay === 0) queues.delete(key);
    } else {
      // The turn goes over to the next: nobody can come in between.
      waiting -= 1;
      next();
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
