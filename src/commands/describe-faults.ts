import type { Command } from 'commander';
import type { FieldFault, InvalidFields } from '../core/access/refusal.ts';
import { textsIn } from '../ground/languages/speech.ts';

const { interpolate, words } = textsIn('en');

/** Describes an invalid field by its name in the API. */
export const explainFault = ({ field, code, values }: FieldFault) =>
  `${field}: ${interpolate(words.fields[code], values)}.`;

/** Describes invalid input, in a line for each option or argument. */
export const describeFaults = ({ faults }: InvalidFields, command: Command) =>
  faults.map((fault) => explainFault({ ...fault, field: inputOf(command, fault.field) })).join('\n');

/** Finds the option or argument for a field of the API. An option that can be repeated belongs to a field with a plural name. */
function inputOf({ options, registeredArguments }: Command, field: string): string {
  const name = field.replaceAll('_', '-');
  const gives = (input: string) => [input, `${input}s`, `client-${input}`, `machine-${input}s`].includes(name);
  const option = options.find(({ long }) => gives(long?.slice(2) ?? ''));
  const argument = registeredArguments.find((known) => gives(known.name()));
  return option?.long ?? (argument === undefined ? field : `<${argument.name()}>`);
}
