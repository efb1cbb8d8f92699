import { readFileSync } from 'node:fs';
import type german from './de.json';
import type english from './en.json';
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

/** The type of a translation: any text for an English text, and any forms for English plurals. */
type Translated<Text> = Text extends string
  ? string
  : Text extends readonly string[]
    ? readonly string[]
    : keyof Text extends Intl.LDMLPluralRule
      ? Plural
      : { readonly [Key in keyof Text]: Translated<Text[Key]> };

/**
 * Every text of pages and mails. `{name}` stands for a value. Some keys come from elsewhere: `loginMessages` (access/refusal.ts), `refusals`
 * (the name of an answer), `problem` (the status), `messages` (the `state` in an address), `mails` (the purpose).
 */
export type Words = Translated<Omit<typeof english, 'mails'>> & { readonly mails: Readonly<Record<string, MailWords>> };

/**
 * A sentence of an explanation by the audit log or `janua doctor`, in English. It is the key of its translations, so that a sentence without
 * a German translation does not compile. `{name}` stands for a value. Translations keep commands, settings and placeholders such as `EMAIL`.
 */
export type Sentence = keyof (typeof german)['sentences'];

/** The file of a language. English sentences are their own keys. */
type Catalogue = Words & { readonly sentences?: Readonly<Partial<Record<Sentence, string>>> };

/** Reads the file of a language. Most servers show few languages, and each takes 400 KB. */
export const readCatalogue = (language: Language): Catalogue =>
  JSON.parse(readFileSync(new URL(`${language}.json`, import.meta.url), 'utf8'));
