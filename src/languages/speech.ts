import { words as de } from './de.ts';
import { words as en, type Plural, type Words } from './en.ts';
import { words as es } from './es.ts';
import { words as fr } from './fr.ts';
import { fill, type Language, type Values } from './languages.ts';
import { words as vi } from './vi.ts';

/** The words of every language. The types prove that none lacks a text. */
export const catalogues: Readonly<Record<Language, Words>> = { en, de, fr, es, vi };

export type Speech = ReturnType<typeof createSpeech>;

const speeches = new Map<Language, Speech>();

/** How pages and mails speak a language. */
export function speak(language: Language): Speech {
  const speech = speeches.get(language) ?? createSpeech(language);
  speeches.set(language, speech);
  return speech;
}

function createSpeech(language: Language) {
  const plurals = new Intl.PluralRules(language);
  const day = { year: 'numeric', month: 'long', day: 'numeric' } as const;
  const dates = new Intl.DateTimeFormat(language, day);
  // In the time zone of the server, which it names: nobody knows the one of the reader.
  const times = new Intl.DateTimeFormat(language, {
    ...day,
    hour: 'numeric',
    minute: '2-digit',
    timeZoneName: 'short',
  });

  return {
    language,
    words: catalogues[language],
    /** A text with values in its places. */
    say: fill,
    /** The form of a text that fits the number, which stands at `{count}`. */
    plural: (forms: Plural, count: number, values: Values = {}) =>
      fill(forms[plurals.select(count)] ?? forms.other, { ...values, count }),
    /** A day. @param time a date, or milliseconds since 1970 */
    date: (time: Date | number) => dates.format(time),
    /** Day and time to the minute. @param time a date, or milliseconds since 1970 */
    dateTime: (time: Date | number) => times.format(time),
  };
}
