import { readFile } from 'node:fs/promises';
import { type EventDescription, throttleKeys } from '../src/core/audit/event.ts';
import { bounds } from '../src/core/audit/flood-bound.ts';
import { events } from '../src/site.ts';
import { asCode, asTable, inCell } from './markdown.ts';

/** Where an event holds the fields of each type. */
const places = {
  RecordedEvent: '',
  AuditEvent: '',
  KeyTrace: 'throttle[].',
  Caller: 'caller.',
  CallerTrace: 'caller.trace.',
};

/** The fields of a type, from the comments in its source: a type is gone when code runs. */
function fieldsOf(source: string, type: string): string[][] {
  const [, body = ''] = new RegExp(`^export interface ${type}\\b[^{]*\\{$(.*?)^\\}`, 'ms').exec(source) ?? [];
  const place = places[type as keyof typeof places];
  return [...body.matchAll(/(?:\/\*\*(.*?)\*\/\s+)?readonly (\w+)\??:/gs)].map(([, meaning = '', name]) => [
    asCode(place + name),
    inCell(meaning.replaceAll(/\s+(?:\* )?/g, ' ').trim()),
  ]);
}

/** Every event of the audit, from what the rooms say about theirs. */
export async function makeEventsPage(made: string): Promise<string> {
  const kinds = Object.entries<EventDescription>(events);
  const source = await readFile(new URL('../src/core/audit/event.ts', import.meta.url), 'utf8');
  return `# Events of the audit

${made} [The audit](../audit.md) says how to search events, and how long Janua keeps them.

- **By**: who can cause the event. ${Object.keys(bounds).map(asCode).join(' and ')} have [limits](../audit.md#how-long-and-how-much).
  An \`operator\` acts by a command, an app or as an administrator, or is Janua itself: such events are always kept.
  A change that would be one too many is refused (429), and what an administrator does too.
- **Vocabulary**: the name in the OWASP Logging Vocabulary, for a collector.
- **Reasons**: the values of \`reason\`. \`janua explain ID\` says what each means, and what to do.

## Kinds

${asTable(
  ['kind', 'what happened', 'reasons', 'vocabulary', 'level', 'by'],
  kinds.map(([kind, { words, vocabulary, level, by, reasons = {} }]) => [
    asCode(kind),
    inCell(words),
    Object.keys(reasons).map(asCode).join(' ') || '–',
    asCode(vocabulary),
    level,
    by,
  ]),
)}

## Fields

${asTable(
  ['field', 'meaning'],
  Object.keys(places).flatMap((type) => fieldsOf(source, type)),
)}

## Keys of the throttle

${asTable(
  ['key', 'counts'],
  Object.entries(throttleKeys).map(([key, words]) => [asCode(key), words]),
)}
`;
}
