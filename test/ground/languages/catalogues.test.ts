import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Answer } from '../../../src/core/access/refusal.ts';
import { type Language, languageNames, languages } from '../../../src/ground/languages/languages.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { readCatalogue } from '../../../src/ground/languages/words.ts';
import { events } from '../../../src/site.ts';
import { crossSite } from '../../../src/web/hooks/cross-site.ts';
import { startServer } from '../../web/server.ts';

/** Every text with its path. The forms of a plural are one text, because languages have different ones. */
function* textsOf(words: object, path = ''): Generator<[path: string, text: string]> {
  for (const [key, value] of Object.entries(words)) {
    if (typeof value === 'string') yield [`${path}.${key}`, value];
    else if ('other' in value && Object.keys(value).every((form) => pluralForms.includes(form)))
      for (const text of Object.values<string>(value)) yield [`${path}.${key}`, text];
    else yield* textsOf(value, `${path}.${key}`);
  }
}

const english = textsIn('en').words;

const pluralForms = ['zero', 'one', 'two', 'few', 'many', 'other'];

const placesOf = (text: string) => [...new Set(text.match(/\{\w*\}/g))].sort();

const places = new Map(Array.from(textsOf(english), ([path, text]) => [path, placesOf(text)]));

for (const language of languages) {
  describe(languageNames[language], () => {
    const texts = [...textsOf(textsIn(language).words)];

    test('has every text, and no other', () => {
      assert.deepEqual([...new Set(texts.map(([path]) => path))].sort(), [...places.keys()].sort());
    });

    test('has no empty text, and no blanks at the ends', () => {
      for (const [path, text] of texts) assert.match(text, /^\S(.*\S)?$/, path);
    });

    test('ends what error pages say with a full stop', () => {
      // A heading.
      const { problem, refusals } = textsIn(language).words;
      const { 'group-missing': _, ...sentences } = refusals;
      for (const text of Object.values({ ...sentences, ...problem.sentences })) assert.match(text, /\.$/);
    });

    test('has the same places for values as English', () => {
      for (const [path, text] of texts) assert.deepEqual(placesOf(text), places.get(path), path);
    });

    test('names commands in mails as English does, in the form that is replaced by the name of the command', () => {
      const commandsOf = (language: Language) =>
        Object.entries(textsIn(language).words.mails).map(([purpose, mail]) => [
          purpose,
          JSON.stringify(mail).match(/(?:npx )?\bjanua [a-z]+(?: --?[a-z-]+)?/g),
        ]);
      assert.deepEqual(commandsOf(language), commandsOf('en'));
      for (const command of commandsOf(language).flatMap(([, commands]) => commands ?? []))
        assert.match(command, /^npx /);
    });

    test('has a text for each kind of number that the language knows', () => {
      // Spanish and French know `many` for millions, which no text counts.
      const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
      const { waitSeconds, waitMinutes } = textsIn(language).words.login;
      for (const forms of [waitSeconds, waitMinutes])
        assert.deepEqual(Object.keys(forms).sort(), pluralCategories.filter((form) => form !== 'many').sort());
    });

    if (language !== 'en')
      test('is translated', () => {
        const own = new Map(texts);
        const same = [...textsOf(english)].filter(([path, text]) => /\w{3} \w/.test(text) && own.get(path) === text);
        assert.deepEqual(same, []);
      });
  });
}

describe('the sentences of the audit and of the doctor', () => {
  const sentences = Object.keys(readCatalogue('de').sentences ?? {});
  /** What stays as it is: commands, their options, settings, addresses, fields, and places for values. */
  const keptOf = (text: string) =>
    [
      ...new Set(
        text.match(/(?:npx )?\bjanua [a-z]+|--[a-z-]+|\b[A-Z][A-Z_]{3,}\b|\B\/[a-z/-]+|\{\w+\}|\b[a-z]+_[a-z_]+\b/g),
      ),
    ].sort();

  for (const language of languages.filter((one) => one !== 'en'))
    test(`keep commands and settings as they are in ${languageNames[language]}, and are the same in number`, () => {
      const translations = Object.entries(readCatalogue(language).sentences ?? {});
      assert.deepEqual(
        translations.map(([sentence]) => sentence),
        sentences,
      );
      for (const [sentence, text] of translations) assert.deepEqual(keptOf(text), keptOf(sentence), sentence);
    });

  test('are all in use', () => {
    const sources = globSync('**/*.ts', { cwd: root }).map((name) => readFileSync(new URL(name, root), 'utf8'));
    const all = sources.join('\n').replaceAll("\\'", "'");
    assert.deepEqual(
      sentences.filter((sentence) => !all.includes(sentence)),
      [],
    );
  });

  test('every kind of event is under one topic of the filter', () => {
    const kinds = Object.values(english.admin.audit.topics).flatMap((topic) => Object.keys(topic.kinds));
    assert.deepEqual(kinds.sort(), Object.keys(events).sort());
  });
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
  for (const name of shown) assert.ok(name in english.refusals, name);
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

    test(`${name} uses words that exist`, () => {
      const sections = new Map(Object.keys(english).map((section) => [`it.words.${section}`, section]));
      const [, names = ''] = /const \{([^}]*)\} = it\.words\b(?!\.)/.exec(template) ?? [];
      for (const [, section = '', alias] of names.matchAll(/(\w+)(?:: (\w+))?/g))
        sections.set(alias ?? section, section);
      for (const [reference, section] of sections) {
        const uses = template.matchAll(new RegExp(`(?<![\\w./])${reference.replaceAll('.', '\\.')}\\.(\\w+)`, 'g'));
        for (const [use, key = ''] of uses) assert.ok(key in Object(Reflect.get(english, section)), use);
      }
    });
  }
});
