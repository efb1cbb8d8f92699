import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { type Figure, readFigures } from './figures.ts';
import { figuresAfterTraffic } from './traffic.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[];
}

const file = new URL('../../../deploy/grafana-dashboard.json', import.meta.url);
const dashboard = JSON.parse(await readFile(file, 'utf8')) as {
  readonly id: null;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { name: string; type: string; query: unknown }[] };
  readonly panels: readonly Panel[];
};
const panels = dashboard.panels.filter(({ type }) => type !== 'row');

/** Labels that Prometheus adds to every sample of a target. */
const added = ['instance', 'job'];

describe('the Grafana dashboard', () => {
  let figures: readonly Figure[] = [];
  before(async () => {
    figures = readFigures(await figuresAfterTraffic());
  });

  test('can be imported as a new dashboard with a choice of the data source', () => {
    assert.equal(dashboard.id, null);
    assert.ok(dashboard.title !== '');
    // Grafana 10 uses schema 38 or 39. Newer versions upgrade older schemas.
    assert.equal(dashboard.schemaVersion, 39);
    assert.deepEqual(
      dashboard.templating.list.map(({ name, type }) => `${name} ${type}`),
      ['datasource datasource', 'instance query'],
    );
    assert.equal(dashboard.templating.list[0]?.query, 'prometheus');
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    for (const { title, datasource, targets = [] } of panels) {
      assert.deepEqual(datasource, { type: 'prometheus', uid: '$datasource' }, title);
      assert.ok(targets.length > 0, title);
    }
  });

  test('has no overlapping panels', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.ok(!taken.has(`${x} ${y}`), title);
          taken.add(`${x} ${y}`);
        }
    }
  });

  for (const { title, targets = [] } of panels) {
    test(`uses only existing metrics and labels in "${title}"`, () => {
      for (const { expr, legendFormat } of targets) {
        const names = [...expr.matchAll(/\b(?:janua|nodejs|process)_\w+/g)].map(([name]) => name);
        assert.ok(names.length > 0, expr);
        const found = names.map((name) => figures.filter((figure) => figure.name === name));
        for (const [index, name] of names.entries()) assert.ok((found[index]?.length ?? 0) > 0, name);
        const labels = new Set([...added, ...found.flat().flatMap((figure) => Object.keys(figure.labels))]);
        const matched = [...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label ?? '');
        const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, ?/));
        for (const label of [...matched, ...grouped]) assert.ok(labels.has(label), `${label} in ${expr}`);
        // A legend can only use labels that remain after grouping.
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          assert.ok(grouped.includes(label), `${label} in ${legendFormat}`);
      }
    });
  }

  test('shows every metric', () => {
    const asked = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join('\n');
    const measured = new Set(
      figures.flatMap(({ name }) => (name.startsWith('janua_') ? [name.replace(/_(?:bucket|sum|count)$/, '')] : [])),
    );
    for (const name of measured) assert.ok(asked.includes(name), name);
  });
});
