import { styleText } from 'node:util';
import pino from 'pino';
import { printable } from '../text/printable.ts';

const styles: Readonly<Record<string, 'green' | 'yellow' | 'red'>> = {
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** The same in every line, shown elsewhere in it, or meant for programs. `janua explain` shows people the details. */
const omitted = new Set('level time pid hostname msg vocabulary throttle trace requestId stack'.split(' '));

/**
 * Formats a log line for people: time, level, message, details. All text passes `printable` before our own colours are added. So a
 * client's text cannot move the cursor, forge a line or change a colour (ASVS 16.4.1).
 * @param line as pino writes it
 */
export function toText(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown> & { readonly level: number; readonly time: number };
  const level = pino.levels.labels[entry.level] ?? String(entry.level);
  const time = new Date(entry.time).toTimeString().slice(0, 8);
  const message = printable(String(entry.msg ?? ''));
  const details = printable(partsOf(entry).join(' '));
  return `${styleText('dim', time)} ${styleText(styles[level] ?? 'dim', level.padEnd(5))} ${message}  ${styleText('dim', details)}\n${stackOf(entry)}`;
}

function partsOf(values: object): string[] {
  return Object.entries(values)
    .filter(([key]) => !omitted.has(key))
    .map(([key, value]) => `${key}=${format(value)}`);
}

/** Shows plain words without quotes, and numbers to three decimal places. */
function format(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  if (Array.isArray(value)) return `[${value.map(format).join(' ')}]`;
  return typeof value === 'object' && value !== null ? `(${partsOf(value).join(' ')})` : String(value);
}

function stackOf({ err }: Record<string, unknown>): string {
  if (typeof err !== 'object' || err === null || !('stack' in err)) return '';
  const lines = String(err.stack).split('\n').slice(1);
  return lines.map((line) => `    ${printable(line.trim())}\n`).join('');
}
