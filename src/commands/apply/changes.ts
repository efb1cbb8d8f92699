import { isDeepStrictEqual } from 'node:util';
import { printable } from '../../ground/text/printable.ts';
import type { ObjectDocument } from './documents.ts';

/** A field of an object before and after a change. Undefined where the object has no such field. */
interface FieldChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

export interface ObjectChange {
  readonly act: 'add' | 'change' | 'remove';
  readonly kind: 'group' | 'client' | 'resource' | 'user';
  readonly name: string;
  readonly fields: readonly FieldChange[];
}

/** Finds the fields that differ. */
export function differencesOf(from: ObjectDocument, to: ObjectDocument): readonly FieldChange[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names
    .filter((field) => !isDeepStrictEqual(from[field], to[field]))
    .map((field) => ({ field, from: from[field], to: to[field] }));
}

const signs = { add: '+', change: '~', remove: '-' } as const;

const shown = (value: unknown) => (value === undefined ? 'none' : printable(JSON.stringify(value)));

/** Describes a change in lines for the operator: the object, and each field. */
export function describeChange({ act, kind, name, fields }: ObjectChange): string[] {
  const values = fields.map(({ field, from, to }) =>
    act === 'add' ? `    ${field}: ${shown(to)}` : `    ${field}: ${shown(from)} -> ${shown(to)}`,
  );
  return [`${signs[act]} ${kind} ${printable(name)}`, ...values];
}

/** Counts the changes in words. */
export function summarize(changes: readonly ObjectChange[]): string {
  const count = (wanted: ObjectChange['act']) => changes.filter(({ act }) => act === wanted).length;
  return `${count('add')} added, ${count('change')} changed, ${count('remove')} removed`;
}
