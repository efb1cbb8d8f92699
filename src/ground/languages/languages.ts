/**
 * The languages of pages and mails, each by its own name, so that its speakers find it. The texts of a language are in `CODE.json`. Every
 * text exists in English. The English text is shown if a language lacks the text.
 */
export const languageNames = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
  vi: 'Tiếng Việt',
} as const;

export type Language = keyof typeof languageNames;

export const languages = Object.keys(languageNames) as readonly Language[];

export const isLanguage = (value: unknown): value is Language => languages.some((language) => language === value);

/** The most characters that are read of a header. Browsers send fewer than 100. */
const mostRead = 1000;

/** A language range with its weight (RFC 9110 12.5.4, RFC 4647 2.1). Only the first subtag matters: `de-CH` is `de`. */
const range = /^\s*([a-z]{1,8}|\*)(?:-[a-z\d-]+)?\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/i;

/**
 * Returns the language that an `Accept-Language` header prefers. Undefined if the header names none of ours, or prefers any language (`*`)
 * to it.
 */
export function preferredLanguage(header = ''): Language | undefined {
  let best = { language: undefined as Language | undefined, weight: 0 };
  for (const part of header.slice(0, mostRead).split(',')) {
    const [, tag = '', q = '1'] = range.exec(part) ?? [];
    const language = tag.toLowerCase();
    const weight = Number(q);
    if (weight <= best.weight) continue;
    if (isLanguage(language)) best = { language, weight };
    else if (tag === '*') best = { language: undefined, weight };
  }
  return best.language;
}

/** The values for the placeholders in a text, by name. */
export type Values = Readonly<Record<string, string | number>>;

/** Replaces the placeholders in a text, such as `{name}`, by values. */
export const interpolate = (text: string, values: Values = {}): string =>
  text.replaceAll(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
