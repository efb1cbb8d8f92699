import type { Values } from './languages.ts';
import { textsIn } from './speech.ts';
import type { Sentence } from './words.ts';

/** Returns a sentence in one language. */
export type Translate = (sentence: Sentence, values?: Values) => string;

/** The language of commands and programs. */
export const tellInEnglish: Translate = textsIn('en').tell;

/** A finding of `janua doctor` that can be translated. */
export interface Translatable {
  readonly message: Sentence;
  readonly fix?: Sentence | undefined;
  readonly values?: Values;
}

export const tellFinding = ({ message, fix, values }: Translatable, tell: Translate) => ({
  message: tell(message, values),
  ...(fix !== undefined && { fix: tell(fix, values) }),
});
