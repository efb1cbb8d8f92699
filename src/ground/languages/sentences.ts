import { fill, type Language, type Values } from './languages.ts';
import de from './sentences.de.json' with { type: 'json' };
import es from './sentences.es.json' with { type: 'json' };
import fr from './sentences.fr.json' with { type: 'json' };
import vi from './sentences.vi.json' with { type: 'json' };

/**
 * A sentence by which the audit or `janua doctor` explains something, in English. It is the key of its translations, so nothing compiles that
 * lacks one. `{name}` stands for a value. Commands, settings and what stands for a name, such as `EMAIL`, stay as they are.
 */
export type Sentence = keyof typeof de;

const translations: Readonly<Record<Exclude<Language, 'en'>, Readonly<Record<Sentence, string>>>> = { de, fr, es, vi };

/** Says a sentence, in one language. */
export type Tell = (sentence: Sentence, values?: Values) => string;

export const tellIn =
  (language: Language): Tell =>
  (sentence, values) =>
    fill(language === 'en' ? sentence : translations[language][sentence], values);

/** As commands and programs are told. */
export const tellInEnglish = tellIn('en');

/** A finding of `janua doctor`, as it can be said in other languages. */
export interface Told {
  readonly message: Sentence;
  readonly fix?: Sentence | undefined;
  readonly values?: Values;
}

export const tellFinding = ({ message, fix, values }: Told, tell: Tell) => ({
  message: tell(message, values),
  ...(fix !== undefined && { fix: tell(fix, values) }),
});
