import { nameClient } from '../text/user-agent.ts';
import { interpolate, isLanguage, type Language, type Values } from './languages.ts';
import { type Plural, readCatalogue, type Sentence } from './words.ts';

export type LanguageTexts = ReturnType<typeof createTexts>;

/** Returns a sentence in one language. */
export type Translate = LanguageTexts['tell'];

const known = new Map<Language, LanguageTexts>();

/** Returns the texts of a language and its formats of times and numbers, for pages and mails. */
export function textsIn(language: Language): LanguageTexts {
  const texts = known.get(language) ?? createTexts(language);
  known.set(language, texts);
  return texts;
}

/**
 * Returns the texts of a stored language. An older or a newer version of Janua may have stored it.
 * @param usual the language to use if this version does not know the stored one
 */
export const textsInStored = (language: string, usual: Language = 'en'): LanguageTexts =>
  textsIn(isLanguage(language) ? language : usual);

const day = { year: 'numeric', month: 'long', day: 'numeric' } as const;
const minute = { ...day, minute: '2-digit', timeZoneName: 'short' } as const;
const second = { ...minute, month: 'short', second: '2-digit' } as const;
const utc = { timeZone: 'UTC' } as const;

function createTexts(language: Language) {
  // `numeric` would be 3:43 in German, where 03:43 is right.
  const hour = language === 'en' ? 'numeric' : '2-digit';
  const plurals = onDemand(() => new Intl.PluralRules(language));
  const days = onDemand(() => new Intl.DateTimeFormat(language, { ...utc, ...day }));
  const utcMinutes = onDemand(() => new Intl.DateTimeFormat(language, { ...utc, ...minute, hour }));
  const utcSeconds = onDemand(() => new Intl.DateTimeFormat(language, { ...utc, ...second, hour }));
  const numbers = onDemand(() => new Intl.NumberFormat(language));
  const number = (value: number) => numbers().format(value);
  const shortDays = onDemand(() => new Intl.DateTimeFormat(language, { ...utc, month: 'short', day: 'numeric' }));
  const hours = onDemand(() => new Intl.DateTimeFormat(language, { ...utc, hour: '2-digit', minute: '2-digit' }));

  const { sentences, ...words } = readCatalogue(language);

  return {
    language,
    words,
    /** Returns a sentence of the audit log or of `janua doctor`. */
    tell: (sentence: Sentence, values?: Values) => interpolate(sentences?.[sentence] ?? sentence, values),
    /** Puts values into the placeholders of a text. */
    interpolate,
    /** Returns the form of a text that fits a number. The number replaces `{count}`. */
    plural: (forms: Plural, count: number, values: Values = {}) =>
      interpolate(forms[plurals().select(count)] ?? forms.other, { ...values, count: number(count) }),
    /** Formats times in UTC. On pages, a script rewrites them in the time zone of the browser. */
    utc: {
      date: (time: Date) => days().format(time),
      time: (time: Date) => utcMinutes().format(time),
      moment: (time: Date) => utcSeconds().format(time),
    },
    number,
    /** Formats a day without its year, in UTC. */
    shortDay: (time: Date | number) => shortDays().format(time),
    /** Formats the hour and the minute of a time, in UTC. */
    hour: (time: Date | number) => hours().format(time),
    /** Returns the browser and the system of a `User-Agent`. */
    client(userAgent: string | null | undefined): string {
      const { browser, system } = nameClient(userAgent ?? undefined);
      const { clients } = words;
      if (browser === undefined) return clients.unknown;
      return system === undefined ? browser : interpolate(clients.on, { browser, system });
    },
  };
}

/** Creates an object on first use. The first `Intl` object of a process takes 13 ms, and most pages need none. */
function onDemand<Made>(create: () => Made): () => Made {
  let made: Made | undefined;
  return () => {
    made ??= create();
    return made;
  };
}
