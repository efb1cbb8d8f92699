import english from './en.json' with { type: 'json' };
import type { MailWords } from './mail-words.ts';

/** The forms of a text for the kinds of numbers in a language (CLDR). `{count}` stands for the number. */
export type Plural = Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** The type of a translation: any text for an English text, and any forms for English plurals. */
type Translated<Text> = Text extends string
  ? string
  : Text extends readonly string[]
    ? readonly string[]
    : keyof Text extends Intl.LDMLPluralRule
      ? Plural
      : { readonly [Key in keyof Text]: Translated<Text[Key]> };

/**
 * Every text of pages and mails. The other languages must have the same texts. `{name}` stands for a value. Some keys come from elsewhere:
 * `loginMessages` (access/refusal.ts), `refusals` (the name of an answer), `problem` (the status), `messages` (the `state` in an address),
 * `mails` (the purpose).
 */
export type Words = Translated<Omit<typeof english, 'mails'>> & { readonly mails: Readonly<Record<string, MailWords>> };

/** The English texts. English is also the language of JSON. */
export const words: Words = english;
