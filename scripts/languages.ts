import { languageNames, languages } from '../src/ground/languages/languages.ts';
import { isPlural, readTexts, type Texts } from '../src/ground/languages/words.ts';

/** Every text with its path. The forms of a plural have one path, because languages have different ones. */
export function* textsOf(texts: Texts | readonly string[], path = ''): Generator<[path: string, text: string]> {
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value === 'string') yield [`${path}${key}`, value];
    else if (isPlural(value)) for (const form of Object.values<string>(value)) yield [`${path}${key}`, form];
    else yield* textsOf(value, `${path}${key}.`);
  }
}

const { sentences = {} } = readTexts('de');

/** Every text in English. The keys of a complete language are the sentences. */
export const english = new Map([
  ...textsOf({ sentences: Object.fromEntries(Object.keys(sentences).map((sentence) => [sentence, sentence])) }),
  ...textsOf(readTexts('en')),
]);

/** Compares the texts of a language with the English ones, by their paths. */
export function compare(texts: Texts): { readonly missing: readonly string[]; readonly unknown: readonly string[] } {
  const own = new Set(Array.from(textsOf(texts), ([path]) => path));
  return {
    missing: [...english.keys()].filter((path) => !own.has(path)),
    unknown: [...own].filter((path) => !english.has(path)),
  };
}

/** `npm run languages` lists what each language lacks, and what it has in vain. */
if (import.meta.main)
  for (const language of languages.filter((code) => code !== 'en')) {
    const { missing, unknown } = compare(readTexts(language));
    const lines = [
      `${language}  ${languageNames[language]}: lacks ${missing.length} of ${english.size} texts, and has ${unknown.length} that English does not have`,
      ...missing.map((path) => `  lacks ${path}: ${english.get(path)}`),
      ...unknown.map((path) => `  has ${path}`),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
