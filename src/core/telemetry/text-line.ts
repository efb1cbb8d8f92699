import { inspect, styleText } from 'node:util';
import pino from 'pino';
import { printable } from '../../ground/text/printable.ts';

const styles: Readonly<Record<string, 'green' | 'yellow' | 'red'>> = {
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** Fields that are the same in every line, are shown elsewhere in it, or are meant for programs. `janua explain` shows their details. */
const omitted = new Set('level time pid hostname msg vocabulary throttle trace requestId stack'.split(' '));

/**
 * Formats a log line for people: time, level, message, details. All text passes `printable` before our own colors are added. So a client's
 * text cannot move the cursor, forge a line or change a color (ASVS 16.4.1).
 * @param line as pino writes it
 */
export function toText(line: string): string {
  const { level: number, time: at, msg = '', err } = JSON.parse(line);
  const shown: object = JSON.parse(line, (key, value) => (omitted.has(key) ? undefined : value));
  const level = pino.levels.labels[number] ?? String(number);
  const time = styleText('dim', new Date(at).toTimeString().slice(0, 8));
  // `slice` removes the outer braces.
  const details = inspect(shown, { breakLength: Number.POSITIVE_INFINITY, depth: null }).slice(2, -2);
  const named = styleText(styles[level] ?? 'dim', level.padEnd(5));
  return `${time} ${named} ${printable(msg)}  ${styleText('dim', printable(details))}\n${stackOf(err)}`;
}

/** Formats the stack, one frame on each line. */
function stackOf(error: { readonly stack?: string } | undefined): string {
  const lines = error?.stack?.split('\n').slice(1) ?? [];
  return lines.map((line) => `    ${printable(line.trim())}\n`).join('');
}
