import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBareStyle } from '../../src/web/bare-style.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';

test('a theme with a tag in its logo, and with line ends of Windows, stays whole in the style, and the policy allows nothing else', () => {
  const folder = createTemporaryFolder('theme');
  try {
    const theme = join(folder.path, 'theme.css');
    writeFileSync(theme, `:root {\r\n  --logo: url('data:image/svg+xml,<svg><style>a{}</style></svg>');\r\n}\r\n`);
    const { style, contentSecurityPolicy } = readBareStyle(theme);
    const [, read = ''] = /<style>([\s\S]*?)<\/style>/.exec(`<style>${style}</style>`) ?? [];
    // A browser reads `\/` in a text of CSS as `/`, and every line end as a line feed.
    assert.ok(read.startsWith(":root {\n  --logo: url('data:image/svg+xml,<svg><style>a{}<\\/style><\\/svg>');\n}\n"));
    assert.match(read, /\.request-id \{/);
    assert.deepEqual(contentSecurityPolicy.split('; '), [
      "default-src 'none'",
      `style-src 'sha256-${hash('sha256', read, 'base64')}'`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
  } finally {
    folder.remove();
  }
});
