import { fill, type Language, type Values } from './languages.ts';
import de from './sentences.de.json' with { type: 'json' };
import es from './sentences.es.json' with { type: 'json' };
import fr from './sentences.fr.json' with { type: 'json' };
import vi from './sentences.vi.json' with { type: 'json' };

/**
 * A sentence of an explanation by the audit log or `janua doctor`, in English. It is the key of its translations, so a missing translation
 * does not compile. `{name}` stands for a value. Translations keep commands, settings and placeholders such as `EMAIL`.
 */
export type Sentence = keyof typeof de;

const translations: Readonly<Record<Exclude<Language, 'en'>, Readonly<Record<Sentence, string>>>> = { de, fr, es, vi };

/** Returns a sentence in one language. */
export type Translate = (sentence: Sentence, values?: Values) => string;

export const translateIn =
  (language: Language): Translate =>
  (sentence, values) =>
    fill(language === 'en' ? sentence : translations[language][sentence], values);

/** The language of commands and programs. */
export const tellInEnglish = translateIn('en');

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
