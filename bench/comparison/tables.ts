import { type Figures, summarizeFigure } from '../measures/requests.ts';
import { summarize } from '../statistics.ts';
import { type Goal, judgeGoals, medianOf } from './goals.ts';
import type { Measured, Series } from './measure.ts';
import { type Name, names } from './names.ts';

/** Lines of cells. The first line is the heading. */
export interface Table {
  readonly title: string;
  readonly lines: readonly (readonly string[])[];
}

/** A server that used less of a core was waiting. With more cores it would answer more requests. */
const saturated = 0.9;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Describes all results, with the goals first. */
export function describeMeasured(measured: Measured): Table[] {
  const { cookie, token, page, login } = measured;
  return [
    describeGoals(judgeGoals(measured)),
    describeRequests('Who am I, by cookie', cookie, cookie),
    describeRequests('Who am I, by token', token, cookie),
    describeRequests('The login page', page, cookie),
    describeLogins(login),
    describeStorms(measured),
    describeStarts(measured),
  ];
}

function describeGoals(goals: readonly Goal[]): Table {
  return {
    title: 'Goals',
    lines: [
      ['', 'goal', 'measured', 'met'],
      ...goals.map(({ what, limit, value = 'not measured', met }) => [
        what,
        limit,
        value,
        met === undefined ? '' : met ? 'yes' : 'NO',
      ]),
    ],
  };
}

/** @param bare the results that contain the bare route, for the comparison of CPU */
function describeRequests(title: string, series: Series<Figures>, bare: Series<Figures>): Table {
  const ours = medianOf(series, names.sqlite, 'perSecond');
  const bareCpu = medianOf(bare, names.bare, 'cpu');
  return {
    title,
    lines: [
      ['', 'requests/s', 'lowest to highest', 'vs. SQLite', 'p50', 'p99', 'CPU', 'vs. bare', 'cores busy'],
      ...linesOf(series, (rounds) => {
        const { median, lowest, highest } = summarizeFigure(rounds, 'perSecond');
        const cpu = summarizeFigure(rounds, 'cpu').median;
        const busy = summarizeFigure(rounds, 'busyCores').median;
        return [
          whole.format(median),
          `${whole.format(lowest)} to ${whole.format(highest)}`,
          (median / ours).toFixed(2),
          `${summarizeFigure(rounds, 'median').median.toFixed(2)} ms`,
          `${summarizeFigure(rounds, 'p99').median.toFixed(2)} ms`,
          `${cpu.toFixed(0)} µs`,
          (cpu / bareCpu).toFixed(2),
          busy < saturated ? `${busy.toFixed(2)} (waits)` : busy.toFixed(2),
        ];
      }),
    ],
  };
}

function describeLogins(series: Series<Figures>): Table {
  const alone = medianOf(series, names.argon2, 'perSecond');
  return {
    title: 'Login, 16 at a time',
    lines: [
      ['', 'logins/s', 'lowest to highest', 'vs. argon2', 'p50', 'p99', 'CPU'],
      ...linesOf(series, (rounds) => {
        const { median, lowest, highest } = summarizeFigure(rounds, 'perSecond');
        return [
          median.toFixed(1),
          `${lowest.toFixed(1)} to ${highest.toFixed(1)}`,
          (median / alone).toFixed(2),
          `${summarizeFigure(rounds, 'median').median.toFixed(1)} ms`,
          `${summarizeFigure(rounds, 'p99').median.toFixed(1)} ms`,
          `${(summarizeFigure(rounds, 'cpu').median / 1000).toFixed(1)} ms`,
        ];
      }),
    ],
  };
}

function describeStorms({ storm }: Measured): Table {
  return {
    title: 'Who am I, while 8 clients log in continuously',
    lines: [
      ['', 'p99 idle', 'p99 during logins', 'ratio', 'p50 during logins', 'logins/s'],
      ...linesOf(storm, (rounds) => {
        const idle = summarize(rounds.map(({ idleP99 }) => idleP99)).median;
        const p99 = summarize(rounds.map((round) => round.p99)).median;
        return [
          `${idle.toFixed(1)} ms`,
          `${p99.toFixed(1)} ms`,
          (p99 / idle).toFixed(2),
          `${summarize(rounds.map(({ median }) => median)).median.toFixed(1)} ms`,
          summarize(rounds.map(({ logins }) => logins)).median.toFixed(1),
        ];
      }),
    ],
  };
}

function describeStarts({ start, memory }: Measured): Table {
  return {
    title: 'Start and memory',
    lines: [
      ['', 'start to the first 200', 'lowest to highest', 'memory at rest', 'memory after the load'],
      ...linesOf(start, (rounds, name) => {
        const { median, lowest, highest } = summarize(rounds.map(({ milliseconds }) => milliseconds));
        return [
          `${median.toFixed(0)} ms`,
          `${lowest.toFixed(0)} to ${highest.toFixed(0)}`,
          `${summarize(rounds.map(({ megabytes }) => megabytes)).median.toFixed(0)} MB`,
          `${summarize(memory[name] ?? []).median.toFixed(0)} MB`,
        ];
      }),
    ],
  };
}

/** Gives a line for each contender, in the order of `names`. */
function linesOf<Result>(
  series: Series<Result>,
  describe: (rounds: readonly Result[], name: Name) => readonly string[],
): string[][] {
  return Object.values(names).flatMap((name) => {
    const rounds = series[name];
    return rounds === undefined ? [] : [[name, ...describe(rounds, name)]];
  });
}
