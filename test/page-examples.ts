import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTemporaryFolder } from './servers/process-end.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The code blocks of a language in a page, in order. */
export const blocksOf = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code ?? '');

/** A copy of some of our files, for trying out what a page says. It is in our own folder, where Node finds our packages. */
export async function copyOurs(names: readonly string[]): Promise<Disposable & { readonly path: string }> {
  const parent = join(root, '.tmp');
  await mkdir(parent, { recursive: true });
  const folder = createTemporaryFolder('page', parent);
  for (const name of names) await cp(join(root, name), join(folder.path, name), { recursive: true });
  return { path: folder.path, [Symbol.dispose]: () => folder.remove() };
}
