import { type Figures, summarizeFigure } from '../measures/requests.ts';
import { summarize } from '../statistics.ts';
import type { Measured, Series } from './measure.ts';
import { type Name, names } from './names.ts';
import type { Panel } from './picture.ts';

/** The contenders in the picture. The tables have more. */
const shown: readonly Name[] = [
  names.sqlite,
  names.redis,
  names.postgres,
  names.express,
  names.betterAuth,
  names.bare,
  names.argon2,
];

const own: readonly Name[] = [names.sqlite, names.redis, names.postgres];

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Describes the medians as bars. */
export function describePanels({ cookie, login, storm, start, memory }: Measured): Panel[] {
  const perSecond = (rounds: readonly Figures[]) => summarizeFigure(rounds, 'perSecond').median;
  return [
    panelOf('Who am I, by cookie: requests per second, higher is better', cookie, perSecond, ''),
    panelOf('Logins per second, higher is better', login, perSecond, ''),
    panelOf(
      'Who am I, 99th percentile while 8 clients log in continuously: lower is better',
      storm,
      (rounds) => summarize(rounds.map(({ p99 }) => p99)).median,
      ' ms',
    ),
    panelOf(
      'From start to first response: lower is better',
      start,
      (rounds) => summarize(rounds.map(({ milliseconds }) => milliseconds)).median,
      ' ms',
    ),
    panelOf('Memory after the load: lower is better', memory, (rounds) => summarize(rounds).median, ' MB'),
  ];
}

function panelOf<Result>(
  title: string,
  series: Series<Result>,
  read: (rounds: readonly Result[]) => number,
  unit: string,
): Panel {
  const bars = shown.flatMap((name) => {
    const rounds = series[name];
    if (rounds === undefined) return [];
    const value = read(rounds);
    return [{ label: name, value, text: whole.format(value) + unit, isOwn: own.includes(name) }];
  });
  return { title, bars };
}
