import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { type Figure, readFigures } from './figures.ts';
import { figuresAfterTraffic } from './traffic.ts';

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe('the pages about metrics', () => {
  let figures: readonly Figure[] = [];
  before(async () => {
    figures = readFigures(await figuresAfterTraffic());
  });
  const baseName = (name: string) => name.replace(/_(?:bucket|sum|count)$/, '');

  test('list exactly the existing metrics with their labels', async () => {
    const page = await read('docs/reference/metrics.md');
    const listed = [...page.matchAll(/^\| `(janua_\w+)` \| \w+ \|([^|]*)\|/gm)].map(([, name, labels = '']) => {
      return `${name} ${[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort()}`;
    });
    const labelsOf = new Map<string, Set<string>>();
    for (const { name, labels } of figures) {
      if (!name.startsWith('janua_')) continue;
      const known = labelsOf.get(baseName(name)) ?? new Set();
      for (const label of Object.keys(labels)) if (label !== 'le') known.add(label);
      labelsOf.set(baseName(name), known);
    }
    assert.deepEqual(listed.sort(), [...labelsOf].map(([name, labels]) => `${name} ${[...labels].sort()}`).sort());
  });

  test('use only existing metrics and labels in text and alerts', async () => {
    const page = (await read('docs/observability.md')) + (await read('deploy/prometheus-alerts.yml'));
    const names = new Set(figures.map(({ name }) => name));
    for (const [name] of page.matchAll(/\b(?:janua|nodejs|process)_\w+/g))
      assert.ok(names.has(name) || names.has(`${name}_bucket`), name);
    for (const [, name = '', label = ''] of page.matchAll(/(janua_\w+)\{(\w+)=/g))
      assert.ok(
        figures.some((figure) => figure.name === name && label in figure.labels),
        `${name} ${label}`,
      );
  });
});
