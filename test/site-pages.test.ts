import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';
import type { Browser } from 'playwright-core';
import { noBrowser, openBrowser } from './browser/browser.ts';
import { isLong } from './long.ts';
import { environment, findsRegistry } from './package/consumer.ts';
import { copyOurs, root } from './page-examples.ts';

const skip = !isLong
  ? 'it belongs to npm run test:long'
  : process.env.CI !== 'true' && !(await findsRegistry()) && 'npm reaches no registry';

const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root });
const addressOf = (page: string) => page.replace(/README\.md$/, 'index.html').replace(/\.md$/, '.html');

/** What the site is built from, and what its pages link to. */
const sources = [
  ...['.npmrc', '.vitepress', 'package.json', 'package-lock.json', 'tsconfig.json'].map((name) => `site/${name}`),
  ...['bench', 'bin', 'deploy', 'examples', 'security', 'src'],
  ...['docs', 'package.json', 'tsconfig.json', ...globSync('*.md', { cwd: root })],
];

describe('the site', { skip }, () => {
  const resources = new AsyncDisposableStack();
  let copy: string;

  /** Runs npm in the copy. Rejects if it fails. */
  const npm = (args: readonly string[], settings: Readonly<Record<string, string>> = {}) =>
    promisify(execFile)('npm', args, { cwd: copy, env: { ...environment, NO_COLOR: '1', ...settings } });
  const build = (settings?: Readonly<Record<string, string>>) => npm(['--prefix', 'site', 'run', 'build'], settings);
  const htmlOf = (page: string, version = '7.8') => readFile(join(copy, 'site/dist', version, addressOf(page)), 'utf8');

  /** Changes a file of the copy, builds, and changes it back. */
  async function buildWith(
    file: string,
    change: (text: string) => string,
    settings?: Readonly<Record<string, string>>,
  ) {
    const path = join(copy, file);
    const text = await readFile(path, 'utf8');
    await writeFile(path, change(text));
    try {
      await build(settings);
    } finally {
      await writeFile(path, text);
    }
  }
  const nameVersion = (version: string) => (text: string) => JSON.stringify({ ...JSON.parse(text), version });

  before(async () => {
    const folder = resources.use(await copyOurs(sources));
    copy = folder.path;
    const manifest = join(copy, 'package.json');
    await writeFile(manifest, nameVersion('7.8.9')(await readFile(manifest, 'utf8')));
    await npm(['run', 'site']);
  });
  after(() => resources.disposeAsync());

  test('compiles', async () => {
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [compiler, '--project', join(copy, 'site')]);
  });

  test('has the text of every page in its HTML', async () => {
    assert.ok(pages.length > 60);
    for (const page of pages) {
      const html = await htmlOf(page);
      const markdown = await readFile(join(root, page), 'utf8');
      const plain = /^# (.+)$/m.exec(markdown)?.[1]?.replaceAll('`', '') ?? '';
      assert.match(html, /<h1 /, page);
      assert.ok(html.replaceAll(/<[^>]+>/g, '').includes(plain), `${page} has its title`);
    }
    assert.match(await htmlOf('docs/accounts.md'), /<h2 id="fresh-proof"/);
  });

  test('shows double braces as they are', async () => {
    await buildWith('docs/running.md', (text) => `${text}\nBraces {{ 6 * 7 }} and \`{{ 6 * 7 }}\`.\n`);
    const html = await htmlOf('docs/running.md');
    assert.match(html, /Braces \{\{ 6 \* 7 \}\} and <code>\{\{ 6 \* 7 \}\}<\/code>/);
  });

  test('has files of the repository as plain text, or with SITE_SOURCE_URL as links, in a folder for each version', async () => {
    const page = 'docs/configuration.md';
    assert.match(await htmlOf(page), /<span>settings\.ts<\/span>/);
    const sourceUrl = 'https://git.example.com/janua/blob/main';
    await buildWith('package.json', nameVersion('7.10.0'), { SITE_SOURCE_URL: `${sourceUrl}/` });
    assert.ok((await htmlOf(page, '7.10')).includes(`href="${sourceUrl}/src/ground/config/settings.ts"`));

    const list = await readFile(join(copy, 'site/dist/index.html'), 'utf8');
    const links = [...list.matchAll(/<a href="(.+?)"/g)].map(([, link]) => link);
    assert.deepEqual(links, ['7.10/', '7.8/']);
    await htmlOf(page);
  });

  test('is not built with a link to no file', () =>
    assert.rejects(
      buildWith('docs/running.md', (text) => `${text}\n[gone](gone.md)\n`),
      /docs\/running\.md: gone\.md leads to no file/,
    ));

  test('is not built with links to no anchor, or to no page in HTML', async () => {
    const links = ['[gone](audit.md#gone)', '[gone](#gone)', '<a href="gone.html">gone</a>'];
    await assert.rejects(
      buildWith('docs/running.md', (text) => `${text}\n${links.join(' ')}\n`),
      ({ stderr }: { stderr: string }) => {
        for (const link of ['/7.8/docs/audit.html#gone', '#gone', 'gone.html'])
          assert.ok(stderr.includes(`\ndocs/running.html: ${link}\n`), `${link} in ${stderr}`);
        return true;
      },
    );
  });

  test('is not built with a page that no table names', async () => {
    const lost = join(copy, 'docs/lost.md');
    await writeFile(lost, '# Lost\n');
    try {
      await assert.rejects(build(), /no table of docs\/README\.md leads to docs\/lost\.md/);
    } finally {
      await rm(lost);
    }
  });

  describe('in a browser', { skip: noBrowser }, () => {
    let baseURL: string;
    let browser: Browser;
    before(async () => {
      await build();
      const server = fastify();
      resources.adopt(server, () => server.close());
      await server.register(fastifyStatic, { root: join(copy, 'site/dist') });
      baseURL = await server.listen({ host: '127.0.0.1', port: 0 });
      browser = resources.adopt(await openBrowser(), (opened) => opened.close());
    });

    test('loads nothing from another origin, and misses no file', async () => {
      const page = await browser.newPage({ baseURL });
      const faults: string[] = [];
      page.on('request', (request) => {
        if (!request.url().startsWith(baseURL) && !request.url().startsWith('data:')) faults.push(request.url());
      });
      page.on('response', (response) => {
        if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
      });
      page.on('pageerror', (error) => faults.push(String(error)));
      for (const address of [...pages.map(addressOf), '404.html']) await page.goto(`/7.8/${address}`);
      await page.waitForLoadState('networkidle');
      assert.deepEqual(faults, []);
      await page.close();
    });

    test('finds a word', async () => {
      const page = await browser.newPage({ baseURL });
      await page.goto('/7.8/');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByRole('searchbox').fill('authenticator');
      await page.getByRole('option', { name: 'Second factors and passkeys' }).first().click();
      await page.waitForURL(/\/docs\/second-factors\.html/);
      await page.close();
    });

    test('leads everywhere without script, on a small screen', async () => {
      const context = await browser.newContext({
        ...{ baseURL, javaScriptEnabled: false, viewport: { width: 320, height: 640 } },
      });
      const page = await context.newPage();
      await page.goto('/7.8/docs/accounts.html');
      const navigation = page.getByRole('navigation');
      await navigation.getByRole('link', { name: 'Grafana' }).click();
      assert.ok(await page.getByRole('heading', { name: 'Grafana', level: 1 }).isVisible());
      assert.equal(await page.getByRole('button', { name: 'Search' }).isVisible(), false);
      await navigation.getByRole('link', { name: 'Version 7.8' }).click();
      await page.getByRole('link', { name: 'Janua 7.8' }).click();
      assert.ok(await page.getByRole('heading', { name: 'Janua', level: 1 }).isVisible());
      await context.close();
    });
  });
});
