import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { compare, english, textsOf } from '../../../scripts/languages.ts';
import type { Answer } from '../../../src/core/access/refusal.ts';
import { languageNames, languages } from '../../../src/ground/languages/languages.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { isPlural, type Plural, readCatalogue, readTexts, type Texts } from '../../../src/ground/languages/words.ts';
import { events } from '../../../src/site.ts';
import { crossSite } from '../../../src/web/hooks/cross-site.ts';
import { startServer } from '../../web/server.ts';
import { completeLanguages } from './complete.ts';

const placesOf = (text = '') => [...new Set(text.match(/\{\w*\}/g))].sort();

/** What stays as it is: commands, their options, settings, addresses, fields, and places for values. */
const keptOf = (text = '') =>
  [
    ...new Set(
      text.match(/(?:\.\/bin\/)?\bjanua [a-z]+|--[a-z-]+|\b[A-Z][A-Z_]{3,}\b|\B\/[a-z/-]+|\{\w+\}|\b[a-z]+_[a-z_]+\b/g),
    ),
  ].sort();

for (const language of languages) {
  describe(languageNames[language], () => {
    const own = readTexts(language);
    const texts = [...textsOf(own)];
    const { mails, problem, refusals } = textsIn(language).words;

    if (completeLanguages.includes(language))
      test('has every text', () => {
        // English sentences are their own keys.
        const missing = compare(own).missing.filter((path) => language !== 'en' || !path.startsWith('sentences.'));
        assert.deepEqual(missing, []);
      });

    test('has no text that English does not have', () => {
      assert.deepEqual(compare(own).unknown, []);
    });

    test('has no empty text, and no blanks at the ends', () => {
      for (const [path, text] of texts) assert.match(text, /^\S(.*\S)?$/, path);
    });

    test('ends what error pages say with a full stop', () => {
      // A heading.
      const { 'group-missing': _, ...sentences } = refusals;
      for (const text of Object.values({ ...sentences, ...problem.sentences })) assert.match(text, /\.$/);
    });

    test('has the same places for values as English', () => {
      for (const [path, text] of texts) assert.deepEqual(placesOf(text), placesOf(english.get(path)), path);
    });

    test('keeps commands and settings in sentences as they are', () => {
      for (const [path, text] of texts.filter(([path]) => path.startsWith('sentences.')))
        assert.deepEqual(keptOf(text), keptOf(english.get(path)), path);
    });

    test('names commands in mails as English does, in the form that is replaced by the name of the command', () => {
      const commandsOf = (mail: unknown) =>
        JSON.stringify(mail).match(/(?:\.\/bin\/)?\bjanua [a-z]+(?: --?[a-z-]+)?/g) ?? [];
      for (const [purpose, mail] of Object.entries(textsIn('en').words.mails)) {
        assert.deepEqual(commandsOf(mails[purpose]), commandsOf(mail));
        for (const command of commandsOf(mail)) assert.match(command, /^\.\/bin\/janua /);
      }
    });

    test('has a form of each text with a number for each kind of number that the language knows', () => {
      // Spanish and French know `many` for millions, which no text counts.
      const rules = new Intl.PluralRules(language);
      const forms = [...new Set(['other', ...Array.from({ length: 1000 }, (_, count) => rules.select(count))])].sort();
      for (const plural of pluralsOf(own)) assert.deepEqual(Object.keys(plural).sort(), forms);
    });

    if (language !== 'en')
      test('is translated', () => {
        const isCommand = (text: string) => text.startsWith('chmod ');
        const same = texts.filter(
          ([path, text]) => /\w{3} \w/.test(text) && !isCommand(text) && english.get(path) === text,
        );
        assert.deepEqual(same, []);
      });
  });
}

function* pluralsOf(texts: Texts | readonly string[]): Generator<Plural> {
  for (const value of Object.values(texts))
    if (typeof value === 'object' && isPlural(value)) yield value;
    else if (typeof value === 'object') yield* pluralsOf(value);
}

test('the sentences of the audit and of the doctor are all in use', () => {
  const sources = globSync('**/*.ts', { cwd: root }).map((name) => readFileSync(new URL(name, root), 'utf8'));
  const all = sources.join('\n').replaceAll("\\'", "'");
  const sentences = Object.keys(readCatalogue('de').sentences ?? {});
  assert.ok(sentences.length > 0);
  assert.deepEqual(
    sentences.filter((sentence) => !all.includes(sentence)),
    [],
  );
});

test('every kind of event is under one topic of the filter', () => {
  const { topics } = textsIn('en').words.admin.audit;
  const kinds = Object.values(topics).flatMap((topic) => Object.keys(topic.kinds));
  assert.deepEqual(kinds.sort(), Object.keys(events).sort());
});

test('every refusal that a page shows has words', async () => {
  const answers: Answer[] = [crossSite];
  await using _server = await startServer({
    addRoutes: (app) => app.addHook('onRoute', ({ config }) => void answers.push(...(config?.refusals ?? []))),
  });
  // Others lead a browser to a page that says what to do.
  const isShown = ({ loginPage, freshProof, page, name }: Answer) =>
    !loginPage && !freshProof && !page && name !== 'mfa-required';
  const shown = answers.filter(isShown).map(({ name }) => name);
  assert.ok(shown.includes('invalid-return'));
  for (const name of shown) assert.ok(name in textsIn('en').words.refusals, name);
});

const root = new URL('../../../src/', import.meta.url);

describe('the template', () => {
  // Swagger UI is in English.
  for (const name of globSync('**/*.eta', { cwd: root }).filter((name) => !name.endsWith('docs.eta'))) {
    const template = readFileSync(new URL(name, root), 'utf8');

    test(`${name} has no words of its own`, () => {
      const html = template.replaceAll(/<%.*?%>/gs, '');
      assert.doesNotMatch(html.replaceAll(/<.*?>/gs, ''), /\p{L}/u);
      assert.doesNotMatch(html, /\b(?:aria-label|alt|placeholder|title)="[^"]*\p{L}/u);
    });
  }
});
