import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, test } from 'node:test';
import { root } from './page-examples.ts';

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const withoutCode = (page: string) => readFileSync(join(root, page), 'utf8').replaceAll(/```.*?```/gs, '');

/** The anchor of a heading on GitHub. */
const anchorOf = (heading: string) =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

function anchorsIn(page: string): ReadonlySet<string> {
  const text = withoutCode(page);
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)"/g)].map(([, id = '']) => id)]);
}

describe('links between pages lead to a file, and to a heading in it', () => {
  for (const page of pages)
    test(page, () => {
      for (const [, link = ''] of withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page : normalize(join(dirname(page), path));
        assert.ok(statSync(join(root, target), { throwIfNoEntry: false }), `${link} leads to no file`);
        if (anchor !== undefined && target.endsWith('.md'))
          assert.ok(anchorsIn(target).has(anchor), `${link} leads to no heading`);
      }
    });
});

/** Printed from the code by `npm run reference` and `npm run evidence`. */
const isPrinted = (page: string) => /^docs\/(?:reference\/|configuration\.md|security\/evidence\.md)/.test(page);

test('what is written by hand in docs/ stays below 30,000 words', () => {
  const byHand = pages.filter((page) => relative('docs', page).charAt(0) !== '.' && !isPrinted(page));
  assert.ok(byHand.length > 40);
  const words = byHand.flatMap((page) =>
    withoutCode(page)
      .replaceAll(/<!-- Limits.*<!-- end/gs, '')
      .split(/\s+/)
      .filter((word) => /[\p{L}\p{N}]/u.test(word)),
  );
  assert.ok(words.length <= 30_000, `${words.length} words`);
});
