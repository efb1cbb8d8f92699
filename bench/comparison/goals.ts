import { type Figures, summarizeFigure } from '../measures/requests.ts';
import { summarize } from '../statistics.ts';
import type { Measured, Series } from './measure.ts';
import { type Name, names } from './names.ts';

/** A goal and its result. `--soak 60` judges the memory after an hour of load. */
export interface Goal {
  readonly what: string;
  readonly limit: string;
  /** Undefined if it was not measured. */
  readonly value: string | undefined;
  readonly met: boolean | undefined;
}

export function judgeGoals({ cookie, token, login, storm, start }: Measured): Goal[] {
  const bareCpu = medianOf(cookie, names.bare, 'cpu');
  const timesBare = (name: Name, series = cookie) => medianOf(series, name, 'cpu') / bareCpu;
  const timesPeer = (name: Name) => medianOf(cookie, names.sqlite, 'perSecond') / medianOf(cookie, name, 'perSecond');
  const ofHashing = medianOf(login, names.sqlite, 'perSecond') / medianOf(login, names.argon2, 'perSecond');
  const stormP99 = (name: Name) => summarize((storm[name] ?? []).map(({ p99 }) => p99)).median;
  const starts = start[names.sqlite] ?? [];
  return [
    atMost('who am I, SQLite: CPU relative to the bare route', timesBare(names.sqlite), 2.8),
    atMost('who am I by token, SQLite: CPU relative to the bare route', timesBare(names.sqlite, token), 2.7),
    atMost('who am I, Redis + SQLite: CPU relative to the bare route', timesBare(names.redis), 4.5),
    atMost('who am I, PostgreSQL: CPU relative to the bare route', timesBare(names.postgresAlone), 4),
    atMost('who am I, Redis + PostgreSQL: CPU relative to the bare route', timesBare(names.postgres), 6),
    atLeast('who am I, SQLite: requests/s relative to express-session + passport', timesPeer(names.express), 2.5),
    atLeast('who am I, SQLite: requests/s relative to better-auth', timesPeer(names.betterAuth), 15),
    judge(
      'login, SQLite: logins/s relative to argon2 alone',
      'at least 92 %',
      `${(ofHashing * 100).toFixed(1)} %`,
      ofHashing,
      ofHashing >= 0.92,
    ),
    below('who am I, SQLite: p99 while 8 clients log in', stormP99(names.sqlite), 6, 'ms', 1),
    atMost(
      'who am I, SQLite: p99 while 8 clients log in, relative to express-session + passport',
      stormP99(names.sqlite) / stormP99(names.express),
      0.5,
    ),
    below(
      'start to the first 200, SQLite',
      summarize(starts.map(({ milliseconds }) => milliseconds)).median,
      350,
      'ms',
    ),
    below('memory at rest, SQLite', summarize(starts.map(({ megabytes }) => megabytes)).median, 100, 'MB'),
  ];
}

/** Gives the median of all rounds. NaN if there were none. */
export function medianOf(series: Series<Figures>, name: Name, figure: keyof Figures): number {
  return summarizeFigure(series[name] ?? [], figure).median;
}

const atMost = (what: string, value: number, limit: number) =>
  judge(what, `at most ${limit}`, value.toFixed(2), value, value <= limit);

const atLeast = (what: string, value: number, limit: number) =>
  judge(what, `at least ${limit}`, value.toFixed(2), value, value >= limit);

const below = (what: string, value: number, limit: number, unit: string, digits = 0) =>
  judge(what, `below ${limit} ${unit}`, `${value.toFixed(digits)} ${unit}`, value, value < limit);

function judge(what: string, limit: string, text: string, value: number, met: boolean): Goal {
  return Number.isNaN(value) ? { what, limit, value: undefined, met: undefined } : { what, limit, value: text, met };
}
