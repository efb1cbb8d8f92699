import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { drawPanels, type Panel } from '../../../bench/comparison/picture.ts';

const panel: Panel = {
  title: 'Answers <a second> & more',
  bars: [
    { label: 'ours "new"', value: 50, text: '50', isOwn: true },
    { label: 'theirs', value: 100, text: '100', isOwn: false },
    { label: 'none', value: 0, text: '0', isOwn: false },
  ],
};

const widthsOf = (picture: string) =>
  [...picture.matchAll(/<rect class="(own|other)"[^>]* width="([\d.]+)"/g)].map(([, kind, width]) => [
    kind,
    Number(width),
  ]);

describe('a picture', () => {
  const picture = drawPanels('Ours & theirs', [panel]);

  test('is one SVG document in which every element is closed', () => {
    const open: string[] = [];
    for (const [, slash, name = '', attributes = ''] of picture.matchAll(
      /<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)\/?>/g,
    )) {
      if (slash) assert.equal(open.pop(), name);
      else if (!picture.includes(`<${name}${attributes}/>`)) open.push(name);
    }
    assert.deepEqual(open, []);
    assert.ok(picture.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
  });

  test('has bars in proportion to their values, and a visible bar for zero', () => {
    const [[ours, half] = [], [theirs, whole] = [], [, none] = []] = widthsOf(picture);
    assert.deepEqual([ours, theirs], ['own', 'other']);
    assert.equal(Number(half) * 2, whole);
    assert.equal(none, 1);
  });

  test('escapes markup in texts', () => {
    assert.ok(picture.includes('Answers &lt;a second&gt; &amp; more'));
    assert.ok(picture.includes('ours &quot;new&quot;'));
    assert.ok(!picture.includes('<a second>'));
  });

  test('has a name and its figures in words for screen readers', () => {
    assert.match(picture, /role="img" aria-labelledby="title description"/);
    assert.match(picture, /<title id="title">Ours &amp; theirs<\/title>/);
    assert.match(picture, /<desc id="description">[^<]*theirs 100; none 0\.<\/desc>/);
  });

  test('has colours for a dark page', () => assert.match(picture, /prefers-color-scheme: dark/));

  test('is high enough for all panels', () => {
    const heightOf = (panels: readonly Panel[]) => Number(/ height="(\d+)"/.exec(drawPanels('x', panels))?.[1]);
    assert.ok(heightOf([panel, panel]) > heightOf([panel]) + 3 * 16);
    const lowest = [...picture.matchAll(/ y="(\d+)"/g)].map(([, y]) => Number(y));
    assert.ok(Math.max(...lowest) < heightOf([panel]));
  });
});
