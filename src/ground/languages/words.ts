import english from './en.json' with { type: 'json' };
import type { MailWords } from './mail-words.ts';

/** A text for each kind of number that the language knows (CLDR). `{count}` stands for the number. */
export type Plural = Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** Any text in place of the English one, and the forms of another language in place of the English plurals. */
type Translated<Text> = Text extends string
  ? string
  : Text extends readonly string[]
    ? readonly string[]
    : keyof Text extends Intl.LDMLPluralRule
      ? Plural
      : { readonly [Key in keyof Text]: Translated<Text[Key]> };

/**
 * Every text of pages and mails. The other languages must have the same. `{name}` stands for a value. Keys come from elsewhere in:
 * `loginMessages` (access/refusal.ts), `refusals` (the name of an answer), `problem` (the status), `messages` (the `state` in an address),
 * `mails` (the purpose).
 */
export type Words = Translated<Omit<typeof english, 'mails'>> & { readonly mails: Readonly<Record<string, MailWords>> };

/** In English, which is also the language of JSON. */
export const words: Words = english;
