import { type Figures, summarizeFigure } from '../measures/requests.ts';
import { summarize } from '../statistics.ts';
import type { Measured, Series } from './measure.ts';
import { type Name, names } from './names.ts';
import type { Panel } from './picture.ts';

/** What is shown: the lines that answer some question of the text are in the tables alone. */
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

/** The medians as bars. */
export function describePanels({ cookie, login, storm, start, memory }: Measured): Panel[] {
  const perSecond = (rounds: readonly Figures[]) => summarizeFigure(rounds, 'perSecond').median;
  return [
    panelOf('Who am I, by cookie: requests a second, more is better', cookie, perSecond, ''),
    panelOf('Logins a second, more is better', login, perSecond, ''),
    panelOf(
      'Who am I, 99th percentile while 8 log in again and again: less is better',
      storm,
      (rounds) => summarize(rounds.map(({ p99 }) => p99)).median,
      ' ms',
    ),
    panelOf(
      'From the start to the first answer: less is better',
      start,
      (rounds) => summarize(rounds.map(({ milliseconds }) => milliseconds)).median,
      ' ms',
    ),
    panelOf('Memory after the load: less is better', memory, (rounds) => summarize(rounds).median, ' MB'),
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
