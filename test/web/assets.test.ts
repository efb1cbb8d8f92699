import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServer } from './server.ts';

test('a logo beside the theme file replaces the icon and the logo of Janua', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'janua-theme-'));
  const themeFile = join(folder, 'theme.css');
  const own = await readFile(new URL('../../src/web/assets/logo.svg', import.meta.url), 'utf8');
  try {
    await writeFile(themeFile, ':root { --accent: red }');
    const served = async () => {
      await using server = await startServer({ themeFile });
      const answers = await Promise.all(['/favicon.ico', '/assets/logo.svg'].map((url) => server.get(url)));
      return answers.map(({ body }) => body);
    };
    assert.deepEqual(await served(), [own, own]);
    const theirs = '<svg xmlns="http://www.w3.org/2000/svg"/>';
    await writeFile(join(folder, 'logo.svg'), theirs);
    assert.deepEqual(await served(), [theirs, theirs]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('beside the theme file, only the logo is served, whatever the others are named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'janua-theme-'));
  try {
    const others = ['notes.txt', 'backup.sql', '.env', 'page.html', 'other.css', 'script.js', 'picture.svg'];
    for (const name of ['theme.css', ...others]) await writeFile(join(folder, name), '/* own */');
    await using server = await startServer({ themeFile: join(folder, 'theme.css') });
    assert.equal((await server.get('/assets/theme.css')).body, '/* own */');
    for (const name of others)
      for (const url of [`/assets/${name}`, `/${name}`]) assert.equal((await server.get(url)).statusCode, 404, url);
    // Each file has a route of its own.
    assert.doesNotMatch(server.app.printRoutes(), /\*/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('no other files are served', async () => {
  await using server = await startServer();
  const served = [...server.app.printRoutes({ commonPrefix: false }).matchAll(/(\S+\.\w+) \(GET/g)].map(
    ([, path]) => path,
  );
  const ours = ['janua.css', 'logo.svg', 'pages.js', 'passkeys.js', 'pico.css', 'submit.js', 'theme.css'];
  const ofDocs = ['docs.js', 'swagger-ui.css', 'swagger-ui.js'];
  const expected = [...ours.map((name) => `assets/${name}`), ...ofDocs, 'favicon.ico', 'openapi.json'];
  assert.deepEqual(served.toSorted(), expected.toSorted());
});
