import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import type { MarkdownRenderer } from 'vitepress';
import { existsInRepository, findPage, onSite, repository } from './pages.ts';

/** The id that GitHub gives to a heading. */
export const githubAnchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

/**
 * Turns links between files of the repository into links between pages. A link to any other file leads below `sourceUrl`; without
 * it, the link becomes plain text.
 */
export function linkPages(markdown: MarkdownRenderer, sourceUrl: string | undefined): void {
  markdown.core.ruler.push('link-pages', ({ tokens, env }) => {
    const folder = dirname((env.realPath ?? env.path).slice(repository.length));
    for (const { children } of tokens)
      for (const [index, open] of children?.entries() ?? []) {
        const [, path, anchor = ''] = /^([^#:]+)(#.*)?$/.exec(open.attrGet('href') ?? '') ?? [];
        if (path === undefined) continue;
        const target = join(folder, path);
        const page = findPage(target);
        if (page !== undefined) open.attrSet('href', `/${onSite(page)}${anchor}`);
        else if (!existsInRepository(target)) throw new Error(`${env.relativePath}: ${path} leads to no file`);
        else if (sourceUrl !== undefined) open.attrSet('href', `${sourceUrl}/${target}${anchor}`);
        else {
          const close = children?.slice(index).find(({ type }) => type === 'link_close');
          for (const token of [open, close]) if (token !== undefined) token.tag = 'span';
          open.attrs = null;
        }
      }
  });
}

/** Finds links in built pages that lead to no file of the site, or to no anchor in it. */
export function findDeadLinks(folder: string, base: string): string[] {
  const pages = new Map(
    globSync('**/*.html', { cwd: folder }).map((page) => [page, readFileSync(join(folder, page), 'utf8')]),
  );
  const dead: string[] = [];
  for (const [page, html] of pages)
    for (const [, link = ''] of html.matchAll(/\s(?:href|src)="([^"]*)"/g)) {
      const { host, pathname, hash } = new URL(link, `http://site${base}${page}`);
      if (host !== 'site' || !pathname.startsWith(base)) continue;
      const file = decodeURI(pathname.slice(base.length)).replace(/(?:^|\/)$/, '$&index.html');
      const target = pages.get(file);
      const leads =
        hash === '' || target === undefined
          ? existsSync(join(folder, file))
          : target.includes(` id="${decodeURI(hash.slice(1))}"`);
      if (!leads) dead.push(`${page}: ${link}`);
    }
  return dead;
}
