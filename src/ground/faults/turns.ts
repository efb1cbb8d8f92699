import { Unavailable } from './unavailable.ts';

declare const turn: unique symbol;

/** Proves that work has a turn. Only `take` makes one, and passes it to the work. It is valid while the work runs. */
export interface Turn {
  readonly [turn]: true;
}

export type TakeTurn = ReturnType<typeof createTurns>['take'];

interface Place {
  readonly key: string;
  readonly atOnce: number;
}

/** A piece of work that needs a turn. */
export interface Work {
  /** The places that the work occupies, such as an account. The work begins when fewer than `atOnce` pieces occupy each place. */
  readonly places: readonly Place[];
  /** Keys of the groups among which turns are shared fairly, the largest group first, such as a network and then an account in it. */
  readonly parties: readonly string[];
}

export interface TurnOptions {
  /** The part that is reported as unavailable when too many pieces wait. */
  readonly part: string;
  readonly atOnce: number;
  /** The most pieces of work that wait (ASVS 2.4.1, 15.2.2). With 0, work that cannot begin at once is refused. */
  readonly waiting: number;
  /** Called when a piece is refused, but not again until the queue was empty. */
  readonly onFull?: () => void;
  readonly onRefused?: (() => void) | undefined;
  /**
   * After a piece of work, its turn stays taken for as long as the piece took, at most `longestRest`. A long series of pieces, such as the
   * reading of a list, then uses at most half of the processor. Otherwise it would slow down the logins of other users.
   */
  readonly rests?: true;
}

/** Milliseconds. A piece may also take long because the database is slow. Its rest must not double that time. */
export const longestRest = 500;

interface Party {
  underWay: number;
  waiting: number;
  /**
   * The value of `latestChange` when the party had its last turn, or when its first piece came. A party that leaves and comes back gains
   * nothing, because it then has the highest value.
   */
  since: number;
}

interface Waiter extends Work {
  readonly turn: PromiseWithResolvers<void>;
  /** The number of pieces that had come by then. */
  readonly arrival: number;
}

/**
 * Runs work of this process a few pieces at a time, shared fairly among parties, such as accounts or networks. A free turn goes to the
 * party with the fewest running pieces. If several have the fewest, it goes to the party whose last turn is longest ago. Smaller parties
 * within a party share its turns by the same rule. A party with no running piece therefore waits for at most one turn of each other party,
 * however much work they send. When too many pieces wait, the last piece of the largest party is refused.
 */
export function createTurns(options: TurnOptions) {
  const { part, atOnce: mostAtOnce, waiting: mostWaiting, onFull, onRefused, rests = false } = options;
  const taken = new Map<string, number>();
  const parties = new Map<string, Party>();
  /**
   * The waiting pieces by places and parties. Pieces with the same places and parties run in the order in which they came, so only the
   * first of each queue can be next.
   */
  const queues = new Map<string, Waiter[]>();
  let arrivals = 0;
  let waitingPieces = 0;
  let running = 0;
  let latestChange = 0;
  let wasFull = false;

  const partiesOf = (work: Work) => work.parties.flatMap((key) => parties.get(key) ?? []);
  /**
   * Returns the numbers that determine the order of work, those of the largest party first. The work with the smaller numbers has the
   * earlier turn.
   */
  const turnOrder = (work: Work) => partiesOf(work).flatMap(({ underWay, since }) => [underWay, since]);
  const sizes = (work: Work) => partiesOf(work).map(({ underWay, waiting }) => underWay + waiting);
  const hasEarlierTurn = (one: Waiter, other: Waiter) =>
    (compare(turnOrder(one), turnOrder(other)) || one.arrival - other.arrival) < 0;
  const isSmaller = (one: Waiter, other: Waiter) =>
    (compare(sizes(one), sizes(other)) || one.arrival - other.arrival) < 0;

  const hasRoom = ({ places }: Work) => places.every(({ key, atOnce }) => (taken.get(key) ?? 0) < atOnce);

  function count(work: Work, change: { readonly underWay: number; readonly waiting: number }): void {
    latestChange += 1;
    running += change.underWay;
    for (const { key } of work.places) {
      const underWay = (taken.get(key) ?? 0) + change.underWay;
      if (underWay > 0) taken.set(key, underWay);
      else taken.delete(key);
    }
    for (const key of work.parties) {
      const party = parties.get(key) ?? { underWay: 0, waiting: 0, since: latestChange };
      party.underWay += change.underWay;
      party.waiting += change.waiting;
      if (change.underWay > 0) party.since = latestChange;
      if (party.underWay + party.waiting > 0) parties.set(key, party);
      else parties.delete(key);
    }
  }

  function startNext(): void {
    while (running < mostAtOnce) {
      const [first, ...others] = [...queues.values()].flatMap(([head]) => (head && hasRoom(head) ? [head] : []));
      if (first === undefined) return;
      const next = others.reduce((best, other) => (hasEarlierTurn(other, best) ? other : best), first);
      leaveQueue(next);
      count(next, { underWay: 1, waiting: -1 });
      next.turn.resolve();
    }
  }

  function end(work: Work): void {
    count(work, { underWay: -1, waiting: 0 });
    startNext();
    if (waitingPieces === 0) wasFull = false;
  }

  function enterQueue(waiter: Waiter): void {
    const key = queueOf(waiter);
    const queue = queues.get(key);
    if (queue === undefined) queues.set(key, [waiter]);
    else queue.push(waiter);
    waitingPieces += 1;
  }

  /** Returns false if the piece was not in the queue. */
  function leaveQueue(waiter: Waiter): boolean {
    const key = queueOf(waiter);
    const queue = queues.get(key) ?? [];
    const index = queue.indexOf(waiter);
    if (index < 0) return false;
    queue.splice(index, 1);
    if (queue.length === 0) queues.delete(key);
    waitingPieces -= 1;
    return true;
  }

  function refuseOne(): void {
    if (!wasFull) onFull?.();
    wasFull = true;
    onRefused?.();
    // If several parties are equally large, the last piece is refused.
    const latest = [...queues.values()].flatMap((queue) => queue.slice(-1));
    refuse(latest.reduce((largest, other) => (isSmaller(other, largest) ? largest : other)));
  }

  function refuse(waiter: Waiter): void {
    // Work that is not in the queue has had its turn already.
    if (!leaveQueue(waiter)) return;
    count(waiter, { underWay: 0, waiting: -1 });
    waiter.turn.reject(new Unavailable(part, 2));
  }

  return {
    waiting: () => waitingPieces,

    /**
     * Waits for a turn, and then runs the work.
     * @param leaving cancels the wait, but not work that has begun
     * @throws {Unavailable} when too many pieces wait, or when the wait was canceled
     */
    async take<T>(work: Work, run: (turn: Turn) => Promise<T>, leaving?: AbortSignal): Promise<T> {
      arrivals += 1;
      const waiter: Waiter = { ...work, turn: Promise.withResolvers<void>(), arrival: arrivals };
      const leave = () => refuse(waiter);
      enterQueue(waiter);
      count(work, { underWay: 0, waiting: 1 });
      startNext();
      if (waitingPieces > mostWaiting) refuseOne();
      if (leaving?.aborted) leave();
      leaving?.addEventListener('abort', leave);
      await waiter.turn.promise.finally(() => leaving?.removeEventListener('abort', leave));
      const begun = performance.now();
      try {
        return await run({} as Turn);
      } finally {
        if (rests) setTimeout(() => end(work), Math.min(longestRest, performance.now() - begun));
        else end(work);
      }
    },
  };
}

const queueOf = ({ places, parties }: Work): string => JSON.stringify([places, parties]);

const compare = (one: readonly number[], other: readonly number[]): number =>
  one.map((number, index) => number - (other[index] ?? number)).find((difference) => difference !== 0) ?? 0;
