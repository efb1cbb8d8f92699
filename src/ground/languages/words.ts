import { readFileSync } from 'node:fs';
import type german from './de.json';
import type englishTexts from './en.json';
import type { Language } from './languages.ts';

/** The forms of a text for the kinds of numbers in a language (CLDR). `{count}` stands for the number. */
export type Plural = Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** A mail: its subject, the paragraphs before and after the button, and the text of the button. */
export interface MailWords {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  readonly action?: string;
  readonly after?: readonly string[];
}

/** The type of a translation: any text for an English text, and any plural forms for English plural forms. */
type Translated<Text> = Text extends string
  ? string
  : Text extends readonly string[]
    ? readonly string[]
    : keyof Text extends Intl.LDMLPluralRule
      ? Plural
      : { readonly [Key in keyof Text]: Translated<Text[Key]> };

/**
 * Every text of pages and mails. `{name}` stands for a value. Some keys are values from elsewhere: in `loginMessages` the keys of
 * access/refusal.ts, in `refusals` the name of an answer, in `problem` the status of a response, in `messages` the `state` in an address,
 * in `mails` the purpose of a mail.
 */
export type Words = Translated<Omit<typeof englishTexts, 'mails'>> & {
  readonly mails: Readonly<Record<string, MailWords>>;
};

/**
 * A sentence of an explanation by the audit log or `janua doctor`, in English. It is the key of its translations, so that a sentence
 * without a German translation does not compile. `{name}` stands for a value. Translations keep commands, settings and placeholders such as
 * `EMAIL`.
 */
export type Sentence = keyof (typeof german)['sentences'];

/** The texts of a language. English sentences are their own keys. */
export type Catalogue = Words & { readonly sentences?: Readonly<Partial<Record<Sentence, string>>> };

/**
 * Texts in a file, in sections. All forms of a plural count as one text, because languages have different forms. So do all paragraphs of a
 * list.
 */
export interface Texts {
  [key: string]: string | string[] | Texts;
}

const pluralForms = ['zero', 'one', 'two', 'few', 'many', 'other'];

export const isPlural = (text: object): text is Plural =>
  'other' in text && Object.keys(text).every((form) => pluralForms.includes(form));

const isSection = (text: Texts[string] | undefined): text is Texts =>
  typeof text === 'object' && !Array.isArray(text) && !isPlural(text);

/** Reads the file of a language. It reads only one file, because each language takes 400 KB, and most servers show few languages. */
export const readTexts = (language: Language): Texts =>
  JSON.parse(readFileSync(new URL(`${language}.json`, import.meta.url), 'utf8'));

const english = readTexts('en');

/** Adds the English texts that a language lacks. */
function complete(texts: Texts, english: Texts): object {
  for (const [key, text] of Object.entries(english)) {
    const known = texts[key];
    if (known === undefined) texts[key] = text;
    else if (isSection(text) && isSection(known)) complete(known, text);
  }
  return texts;
}

/** Reads the file of a language. English texts replace those that it lacks. */
export const readCatalogue = (language: Language) =>
  (language === 'en' ? english : complete(readTexts(language), english)) as Catalogue;
