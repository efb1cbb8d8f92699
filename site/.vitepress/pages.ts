import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import type { DefaultTheme } from 'vitepress';

/** The folder of the repository. Paths of pages are relative to it. */
export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Every page of the site. */
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: repository }).sort();

const read = (page: string) => readFileSync(join(repository, page), 'utf8');

const titleOf = (page: string) => /^# (.*)$/m.exec(read(page))?.[1]?.replaceAll('`', '') ?? page;

/** Finds the page to show for a path. For a folder without a README, that is its first page. */
export const findPage = (path: string): string | undefined =>
  [path, join(path, 'README.md')].find((page) => pages.includes(page)) ??
  pages.find((page) => dirname(page) === path.replace(/\/$/, ''));

/** The path of a page on the site, as VitePress wants it. */
export const onSite = (page: string) => page.replace(/README\.md$/, 'index.md');

export const existsInRepository = (path: string) => existsSync(join(repository, path));

/**
 * Makes the navigation from the tables of `docs/README.md`. Pages that are in no table are below the entry of their folder.
 * @throws if a page would be in no entry
 */
export function makeNavigation(): DefaultTheme.SidebarItem[] {
  const tables = read('docs/README.md').split(/^## /m).slice(1);
  const sections = tables.map((table) => ({
    text: table.slice(0, table.indexOf('\n')),
    rows: [...table.matchAll(/^\| \[(.+?)\]\((.+?)\)/gm)].map(([, text = '', link = '']) => ({
      text,
      path: join('docs', link),
    })),
  }));
  const left = new Set(pages);
  for (const page of ['README.md', 'docs/README.md', ...sections.flatMap(({ rows }) => rows.map(({ path }) => path))])
    left.delete(page);

  function makeEntry(text: string, path: string): DefaultTheme.SidebarItem {
    const folder = path.replace(/\/README\.md$/, '');
    const items = [...left].filter((page) => dirname(page) === folder);
    for (const page of items) left.delete(page);
    return {
      text,
      ...(pages.includes(path) && { link: `/${onSite(path)}` }),
      ...(items.length > 0 && { collapsed: true, items: items.map((page) => makeEntry(titleOf(page), page)) }),
    };
  }

  const navigation = sections.map(({ text, rows }) => ({
    text,
    items: rows.map((row) => makeEntry(row.text, row.path)),
  }));
  if (left.size > 0) throw new Error(`no table of docs/README.md leads to ${[...left].join(', ')}`);
  return navigation;
}
