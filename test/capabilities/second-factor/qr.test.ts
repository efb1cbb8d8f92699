import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawQrCode } from '../../../src/capabilities/second-factor/qr.ts';

test('a QR code is a picture of squares, black on white, which the policy of the pages allows', async () => {
  const text = `otpauth://totp/Example:ann%40example.com?secret=${'A'.repeat(32)}&issuer=Example`;
  const address = await drawQrCode(text);
  const [start, data = ''] = address.split(',');
  assert.equal(start, 'data:image/svg+xml;base64');
  const svg = Buffer.from(data, 'base64').toString();
  assert.doesNotMatch(svg, /style|script|href|otpauth/);
  const [, size = ''] = /^<svg [^>]*shape-rendering="crispEdges"[^>]* viewBox="0 0 (\d+) \1">/.exec(svg) ?? [];
  assert.match(svg, new RegExp(`<rect fill="white" width="${size}" height="${size}"/><path fill="black" d="M`));
  // A finder pattern stands in three corners, within a border of four modules.
  const dark = new Set([...svg.matchAll(/M(\d+),(\d+)h1v1h-1z/g)].map(([, x, y]) => `${x},${y}`));
  const last = Number(size) - 5;
  const finder = ['#######', '#     #', '# ### #', '# ### #', '# ### #', '#     #', '#######'];
  for (const [left, top] of [
    [4, 4],
    [last - 6, 4],
    [4, last - 6],
  ] as const)
    for (const [y, line] of finder.entries())
      for (const [x, module] of [...line].entries())
        assert.equal(dark.has(`${left + x},${top + y}`), module === '#', `${left + x},${top + y}`);
  assert.notEqual(await drawQrCode(`${text}2`), address);
});
