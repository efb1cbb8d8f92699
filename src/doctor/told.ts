import type { Finding } from '../../selftest/finding.ts';
import type { Values } from '../ground/languages/languages.ts';
import { type Translatable, tellFinding, tellInEnglish } from '../ground/languages/sentences.ts';
import type { Sentence } from '../ground/languages/words.ts';

/** A finding that pages show in their language. */
export interface ToldFinding extends Finding {
  readonly told?: Translatable;
}

const found = (state: Finding['state'], told: Translatable): ToldFinding => ({
  state,
  ...tellFinding(told, tellInEnglish),
  told,
});

export const ok = (message: Sentence, values?: Values) => found('ok', { message, ...(values && { values }) });
export const warning = (message: Sentence, fix: Sentence, values?: Values) =>
  found('warning', { message, fix, ...(values && { values }) });
export const wrong = (message: Sentence, fix: Sentence, values?: Values) =>
  found('wrong', { message, fix, ...(values && { values }) });
