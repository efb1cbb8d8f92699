import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DefaultTheme, UserConfig } from 'vitepress';
import manifest from '../../package.json' with { type: 'json' };
import { findDeadLinks, githubAnchor, linkPages } from './links.ts';
import { makeNavigation, onSite, repository } from './pages.ts';
import { listVersions } from './versions.ts';

/** Where the files of the repository can be read, such as `https://git.example.com/janua/blob/v0.2.0`. */
const sourceUrl = process.env.SITE_SOURCE_URL?.replace(/\/$/, '');

/** Each minor version has a folder. A patch takes the place of the one before. */
const version = manifest.version.split('.').slice(0, 2).join('.');

const readAsset = (name: string) => readFileSync(join(repository, 'src/web/assets', name), 'utf8');
const logo = `data:image/svg+xml,${encodeURIComponent(readAsset('logo.svg'))}`;
const colours = readAsset('theme.css');

const config: UserConfig<DefaultTheme.Config> = {
  title: 'Janua',
  description: manifest.description,
  base: `/${version}/`,
  outDir: `dist/${version}`,
  cacheDir: 'node_modules/.vitepress',
  srcDir: '..',
  srcExclude: ['!(docs)/**/*'],
  rewrites: onSite,
  appearance: false,
  // The check at the end knows anchors too.
  ignoreDeadLinks: true,
  head: [
    ['link', { rel: 'icon', href: logo }],
    ['style', {}, colours],
  ],
  markdown: {
    anchor: { slugify: githubAnchor },
    // GitHub reads no attributes in braces.
    attrs: { disable: true },
    config(markdown) {
      linkPages(markdown, sourceUrl);
      // The theme has no style for indented code.
      markdown.renderer.rules.code_block = markdown.renderer.rules.fence;
      const render = markdown.render.bind(markdown);
      // Vue would run what is in double braces.
      markdown.render = (...page) => render(...page).replaceAll('{{', '&#123;{');
    },
  },
  themeConfig: {
    logo,
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Documentation', link: '/docs/' },
      // Not of this version, so not a page that VitePress may load.
      { text: `Version ${version}`, link: '/../', target: '_self' },
    ],
    sidebar: makeNavigation(),
  },
  vite: {
    plugins: [
      {
        name: 'vue-for-pages',
        enforce: 'pre',
        // The Markdown is outside of this folder, and finds no package that is installed here.
        resolveId(id) {
          return /^vue(?:\/|$)/.test(id) ? this.resolve(id, fileURLToPath(import.meta.url)) : undefined;
        },
      },
    ],
  },
  buildEnd({ outDir, site }) {
    const dead = findDeadLinks(outDir, site.base);
    if (dead.length > 0) throw new Error(`links that lead nowhere:\n${dead.join('\n')}`);
    listVersions(dirname(outDir), colours);
  },
};

export default config;
