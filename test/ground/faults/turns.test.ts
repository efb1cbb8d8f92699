import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createTurns, type Work } from '../../../src/ground/faults/turns.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';

/** `a/x1`: the first piece of the small party x within the large party a. */
const partiesOf = (piece: string) => [piece.split('/')[0] ?? '', piece.replace(/\d+$/, '')];

interface Options {
  readonly atOnce: number;
  readonly waiting?: number;
  /** The limit of pieces under way in each place. The key of a place is that of a party. */
  readonly limits?: Readonly<Record<string, number>>;
  readonly onFull?: () => void;
}

/** Pieces of work that begin and end when a test says so. */
function createPieces({ atOnce, waiting = 1000, limits = {}, onFull = () => {} }: Options) {
  const turns = createTurns({ part: 'The work', atOnce, waiting, onFull });
  const started: string[] = [];
  const refused: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const settle = () => new Promise(setImmediate);

  return {
    started,
    refused,
    underWay: () => [...gates.keys()],
    async come(piece: string) {
      const parties = partiesOf(piece);
      const places = parties.flatMap((key) => (limits[key] === undefined ? [] : [{ key, atOnce: limits[key] }]));
      const work: Work = { places, parties };
      const gate = Promise.withResolvers<void>();
      turns
        .take(work, () => {
          started.push(piece);
          gates.set(piece, gate);
          return gate.promise;
        })
        .catch((error) => {
          assert.ok(error instanceof Unavailable);
          assert.deepEqual([error.part, error.retryAfterSeconds], ['The work', 2]);
          refused.push(piece);
        });
      await settle();
    },
    async end(piece: string) {
      const gate = gates.get(piece) ?? assert.fail(`${piece} is not under way`);
      gates.delete(piece);
      gate.resolve();
      await settle();
    },
  };
}

interface Case extends Options {
  /** Arriving pieces, and ending ones with a minus. */
  readonly events: string;
  readonly started: string;
  readonly refused?: string;
}

const cases: Readonly<Record<string, Case>> = {
  'work of one party begins in the order in which it came': {
    atOnce: 2,
    events: 'a/x1 a/x2 a/x3 a/x4 -a/x2 -a/x1',
    started: 'a/x1 a/x2 a/x3 a/x4',
  },
  'the party with the fewest pieces under way comes first': {
    atOnce: 3,
    events: 'a/x1 a/x2 b/x1 a/x3 b/x2 c/x1 -a/x1 -a/x2',
    started: 'a/x1 a/x2 b/x1 c/x1 a/x3',
  },
  'a party that sent much work before other parties has one turn in each round': {
    atOnce: 1,
    events: 'a/x1 a/x2 a/x3 a/x4 b/x1 b/x2 c/x1 -a/x1 -a/x2 -b/x1 -c/x1 -a/x3 -b/x2',
    started: 'a/x1 a/x2 b/x1 c/x1 a/x3 b/x2 a/x4',
  },
  'a party that leaves and comes back is behind those that waited': {
    atOnce: 1,
    events: 'a/x1 b/x1 b/x2 c/x1 c/x2 -a/x1 a/x2 -b/x1 -c/x1 -b/x2',
    started: 'a/x1 b/x1 c/x1 b/x2 a/x2',
  },
  'small parties share the turns of their large party': {
    atOnce: 1,
    events: 'a/x1 a/x2 a/x3 a/y1 b/z1 -a/x1 -a/x2 -b/z1 -a/y1',
    started: 'a/x1 a/x2 b/z1 a/y1 a/x3',
  },
  'work whose place is full lets other work begin, and does not lose its turn': {
    atOnce: 3,
    limits: { a: 2, 'b/y': 1 },
    events: 'a/x1 a/x2 a/x3 b/y1 b/y2 c/z1 -b/y1 -a/x1',
    started: 'a/x1 a/x2 b/y1 b/y2 c/z1',
  },
  'a place gives its room to the party with the earliest claim': {
    atOnce: 10,
    limits: { 'a/x': 2 },
    events: 'a/x1 a/x2 a/x3 a/y1 -a/x2',
    started: 'a/x1 a/x2 a/y1 a/x3',
  },
  'when too many wait, the last piece of the largest party is refused': {
    atOnce: 1,
    waiting: 3,
    events: 'a/x1 b/x1 b/x2 a/x2 c/x1 c/x2 -a/x1 -b/x1 -c/x1',
    started: 'a/x1 b/x1 c/x1 b/x2',
    refused: 'a/x2 c/x2',
  },
  'within the largest party, its largest small party is refused': {
    atOnce: 1,
    waiting: 3,
    events: 'b/x1 a/x1 a/x2 a/y1 b/x2',
    started: 'b/x1',
    refused: 'a/x2',
  },
  'a piece that would make its own party the largest is refused': {
    atOnce: 1,
    waiting: 2,
    events: 'a/x1 a/x2 b/x1 a/x3',
    started: 'a/x1',
    refused: 'a/x3',
  },
  'work without room is refused if no work may wait': {
    atOnce: 2,
    waiting: 0,
    limits: { a: 1 },
    events: 'a/x1 a/x2 b/x1 b/x2 -a/x1 b/x3',
    started: 'a/x1 b/x1 b/x3',
    refused: 'a/x2 b/x2',
  },
};

describe('turns', () => {
  for (const [claim, { events, started, refused = '', ...options }] of Object.entries(cases)) {
    test(claim, async () => {
      const pieces = createPieces(options);
      for (const event of events.split(' '))
        await (event.startsWith('-') ? pieces.end(event.slice(1)) : pieces.come(event));
      assert.equal(pieces.started.join(' '), started);
      assert.equal(pieces.refused.join(' '), refused);
    });
  }

  for (const crowds of [10, 30, 100]) {
    test(`a new party gets its turn within one round of ${crowds} busy parties, and is not refused`, async () => {
      const pieces = createPieces({ atOnce: 8, waiting: 100 });
      let sent = 0;
      const send = async () => {
        sent += 1;
        await pieces.come(`crowd-${sent % crowds}/x${sent}`);
      };
      while (sent < 20 * crowds) await send();
      const before = pieces.started.length;
      await pieces.come('newcomer/x1');
      while (!pieces.started.includes('newcomer/x1')) {
        const [oldest] = pieces.underWay();
        await pieces.end(oldest ?? assert.fail('no piece is under way'));
        await send();
        await send();
      }
      assert.ok(pieces.started.length - before <= crowds + 1, `${pieces.started.length - before} turns`);
      assert.ok(pieces.refused.length > 100);
    });
  }

  test('report a full queue once, and again after the queue was empty', async () => {
    let said = 0;
    const pieces = createPieces({ atOnce: 1, waiting: 2, onFull: () => (said += 1) });
    const come = async (...all: string[]) => {
      for (const piece of all) await pieces.come(piece);
    };
    await come('a/x1', 'a/x2', 'a/x3', 'a/x4');
    await pieces.end('a/x1');
    await come('a/x5', 'a/x6');
    assert.deepEqual([pieces.refused.length, said], [2, 1]);
    for (const piece of ['a/x2', 'a/x3']) await pieces.end(piece);
    await come('a/x7', 'a/x8', 'a/x9');
    assert.deepEqual([pieces.refused.length, said], [3, 2]);
  });

  test('work that leaves before its turn makes room for others, and work under way goes on', async () => {
    const turns = createTurns({ part: 'The work', atOnce: 1, waiting: 1 });
    const work = { places: [], parties: ['a'] };
    const [gate, leaving] = [Promise.withResolvers<string>(), new AbortController()];
    const first = turns.take(work, () => gate.promise, leaving.signal);
    const second = turns.take(work, async () => 'second', leaving.signal);
    leaving.abort();
    await assert.rejects(second, Unavailable);
    await assert.rejects(
      turns.take(work, async () => 'too late', leaving.signal),
      Unavailable,
    );
    const third = turns.take(work, async () => 'third');
    assert.equal(turns.waiting(), 1);
    gate.resolve('first');
    assert.deepEqual(await Promise.all([first, third]), ['first', 'third']);
    assert.equal(turns.waiting(), 0);
  });

  test('work that rests keeps its turn as long again, but its result is there at once', async () => {
    const turns = createTurns({ part: 'The work', atOnce: 1, waiting: 10, rests: true });
    const work = { places: [], parties: [] };
    const begun: number[] = [];
    const ended: number[] = [];
    const run = async () => {
      begun.push(performance.now());
      await setTimeout(50);
      ended.push(performance.now());
    };
    const first = turns.take(work, run);
    const second = turns.take(work, run);
    await first;
    assert.equal(begun.length, 1, 'the second still waits');
    await second;
    const [, next = 0] = begun;
    const [end = 0] = ended;
    assert.ok(next - end >= 45, `the next begins ${next - end} ms later`);
  });

  test('work that fails gives its turn to the next', async () => {
    const turns = createTurns({ part: 'The work', atOnce: 1, waiting: 1 });
    const work = { places: [{ key: 'a', atOnce: 1 }], parties: ['a'] };
    const fault = new Error('fault');
    const failing = assert.rejects(
      turns.take(work, () => Promise.reject(fault)),
      fault,
    );
    assert.equal(await turns.take(work, async () => 'done'), 'done');
    await failing;
  });
});
