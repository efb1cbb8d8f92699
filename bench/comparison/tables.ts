import type { Figures } from '../measure.ts';
import { medianOf, summarize } from '../statistics.ts';
import { type Table, yesOrNo } from '../table.ts';
import type { Measured, Series } from './compare.ts';
import { type Name, names } from './contenders.ts';

/** A server that used less of a core was waiting. With more cores it would answer more requests. */
const saturated = 0.9;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format;
const one = (value: number) => value.toFixed(1);

/** Describes all results, with the goals first. */
export function describeMeasured(measured: Measured): Table[] {
  const { cookie, token, page } = measured;
  const goals = judgeGoals(measured).map(({ what, limit, value = 'not measured', met }) => [
    ...[what, limit, value],
    met === undefined ? '' : yesOrNo(met),
  ]);
  return [
    { title: 'Goals', lines: [['', 'goal', 'measured', 'met'], ...goals] },
    describeRequests('Who am I, by cookie', cookie, cookie),
    describeRequests('Who am I, by token', token, cookie),
    describeRequests('The login page', page, cookie),
    describeLogins(measured),
    describeStorms(measured),
    describeStarts(measured),
  ];
}

/** Readers of a round. */
const [cpuOf, speedOf, timeOf, p99Of] = [
  ({ cpu }: Figures) => cpu,
  ({ perSecond }: Figures) => perSecond,
  ({ median }: Pick<Figures, 'median'>) => median,
  ({ p99 }: Pick<Figures, 'p99'>) => p99,
];

const comparisons = {
  'at most': (value: number, limit: number) => value <= limit,
  'at least': (value: number, limit: number) => value >= limit,
  below: (value: number, limit: number) => value < limit,
};

/** Gives goals with their results, which are undefined if they were not measured. `--soak 60` judges the memory after an hour of load. */
export function judgeGoals({ cookie, token, login, storm, start }: Measured) {
  const timesBare = (name: Name, series = cookie) =>
    medianOf(series[name], cpuOf) / medianOf(cookie[names.bare], cpuOf);
  const speed = (name: Name, series = cookie) => medianOf(series[name], speedOf);
  const ofHashing = (speed(names.sqlite, login) / speed(names.argon2, login)) * 100;
  const busy = (name: Name) => medianOf(storm[name], p99Of);
  const [milliseconds, megabytes] = [
    medianOf(start[names.sqlite], (round) => round.milliseconds),
    medianOf(start[names.sqlite], (round) => round.megabytes),
  ];
  const toBare = 'CPU relative to the bare route';
  const goals: [
    what: string,
    value: number,
    keyof typeof comparisons,
    limit: number,
    unit?: string,
    digits?: number,
  ][] = [
    [`who am I, SQLite: ${toBare}`, timesBare(names.sqlite), 'at most', 2.8],
    [`who am I by token, SQLite: ${toBare}`, timesBare(names.sqlite, token), 'at most', 2.7],
    [`who am I, Redis + SQLite: ${toBare}`, timesBare(names.redis), 'at most', 4.5],
    [`who am I, PostgreSQL: ${toBare}`, timesBare(names.postgresAlone), 'at most', 4],
    [`who am I, Redis + PostgreSQL: ${toBare}`, timesBare(names.postgres), 'at most', 6],
    ...(
      [
        [names.express, 'express-session + passport', 2.5],
        [names.betterAuth, 'better-auth', 15],
      ] as const
    ).map(([peer, title, limit]): (typeof goals)[number] => [
      `who am I, SQLite: requests/s relative to ${title}`,
      speed(names.sqlite) / speed(peer),
      'at least',
      limit,
    ]),
    ['login, SQLite: logins/s relative to argon2 alone', ofHashing, 'at least', 92, ' %', 1],
    ['who am I, SQLite: p99 while 8 clients log in', busy(names.sqlite), 'below', 6, ' ms', 1],
    [
      'who am I, SQLite: p99 while 8 clients log in, relative to express-session + passport',
      ...([busy(names.sqlite) / busy(names.express), 'at most', 0.5] as const),
    ],
    ['start to the first 200, SQLite', milliseconds, 'below', 350, ' ms', 0],
    ['memory at rest, SQLite', megabytes, 'below', 100, ' MB', 0],
  ];
  return goals.map(([what, value, comparison, limit, unit = '', digits = 2]) => ({
    ...{ what, limit: `${comparison} ${limit}${unit}` },
    value: Number.isNaN(value) ? undefined : `${value.toFixed(digits)}${unit}`,
    met: Number.isNaN(value) ? undefined : comparisons[comparison](value, limit),
  }));
}

/** @param bare the results that contain the bare route, for the comparison of CPU */
function describeRequests(title: string, series: Series<Figures>, bare: Series<Figures>): Table {
  const heading = ['requests/s', 'lowest to highest', 'vs. SQLite', 'p50', 'p99', 'CPU', 'vs. bare', 'cores busy'];
  return describe(title, heading, series, (rounds) => {
    const cpu = medianOf(rounds, cpuOf);
    const busy = medianOf(rounds, ({ busyCores }) => busyCores);
    return [
      ...rangeOf(rounds, speedOf, whole),
      (medianOf(rounds, speedOf) / medianOf(series[names.sqlite], speedOf)).toFixed(2),
      ...[`${medianOf(rounds, timeOf).toFixed(2)} ms`, `${medianOf(rounds, p99Of).toFixed(2)} ms`],
      ...[`${cpu.toFixed(0)} µs`, (cpu / medianOf(bare[names.bare], cpuOf)).toFixed(2)],
      busy < saturated ? `${busy.toFixed(2)} (waits)` : busy.toFixed(2),
    ];
  });
}

function describeLogins({ login }: Measured): Table {
  const heading = ['logins/s', 'lowest to highest', 'vs. argon2', 'p50', 'p99', 'CPU'];
  return describe('Login, 16 at a time', heading, login, (rounds) => [
    ...rangeOf(rounds, speedOf, one),
    (medianOf(rounds, speedOf) / medianOf(login[names.argon2], speedOf)).toFixed(2),
    ...[timeOf, p99Of, (round: Figures) => cpuOf(round) / 1000].map((read) => `${one(medianOf(rounds, read))} ms`),
  ]);
}

function describeStorms({ storm }: Measured): Table {
  const heading = ['p99 idle', 'p99 during logins', 'ratio', 'p50 during logins', 'logins/s'];
  return describe('Who am I, while 8 clients log in continuously', heading, storm, (rounds) => {
    const [idle, busy] = [medianOf(rounds, ({ idleP99 }) => idleP99), medianOf(rounds, p99Of)];
    return [
      ...[`${one(idle)} ms`, `${one(busy)} ms`, (busy / idle).toFixed(2), `${one(medianOf(rounds, timeOf))} ms`],
      one(medianOf(rounds, ({ logins }) => logins)),
    ];
  });
}

function describeStarts({ start, memory }: Measured): Table {
  const heading = ['start to the first 200', 'lowest to highest', 'memory at rest', 'memory after the load'];
  return describe('Start and memory', heading, start, (rounds, name) => {
    const [median, range = ''] = rangeOf(
      rounds,
      ({ milliseconds }) => milliseconds,
      (value) => value.toFixed(0),
    );
    const [rest, after] = [medianOf(rounds, ({ megabytes }) => megabytes), medianOf(memory[name], Number)];
    return [`${median} ms`, range, `${rest.toFixed(0)} MB`, `${after.toFixed(0)} MB`];
  });
}

/** A median, and the range around it. */
function rangeOf<Round>(rounds: readonly Round[], read: (round: Round) => number, show: (value: number) => string) {
  const { median, lowest, highest } = summarize(rounds.map(read));
  return [show(median), `${show(lowest)} to ${show(highest)}`];
}

/** Gives a line for each contender, in the order of `names`. */
function describe<Result>(
  title: string,
  heading: readonly string[],
  series: Series<Result>,
  cells: (rounds: readonly Result[], name: Name) => readonly string[],
): Table {
  const lines = Object.values(names).flatMap((name) => {
    const rounds = series[name];
    return rounds === undefined ? [] : [[name, ...cells(rounds, name)]];
  });
  return { title, lines: [['', ...heading], ...lines] };
}
