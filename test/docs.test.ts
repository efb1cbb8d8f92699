import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
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

test('a name beside a link to a source file occurs in that file', () => {
  for (const page of pages)
    for (const [, link = '', names = ''] of withoutCode(page).matchAll(/\]\(([^)\s]+\.ts)\)((?:, `[^`]+`)+)/g)) {
      const words = new Set(readFileSync(join(root, dirname(page), link), 'utf8').split(/[^\w$]+/));
      for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) assert.ok(words.has(name), `${link} has no ${name}`);
    }
});
