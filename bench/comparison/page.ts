import { readFile, writeFile } from 'node:fs/promises';
import { formatMarkdown } from '../table.ts';
import type { Table } from './tables.ts';

const page = new URL('../../docs/performance.md', import.meta.url);

const [begin, end] = ['<!-- begin: the bench writes this section -->', '<!-- end: the bench writes this section -->'];

/**
 * Writes the measured figures into docs/performance.md.
 * @param circumstances lines with the date, the machine and the versions
 */
export async function writePage(tables: readonly Table[], circumstances: readonly string[]): Promise<void> {
  const sections = [...circumstances, ...tables.map(({ title, lines }) => `**${title}**\n\n${formatMarkdown(lines)}`)];
  await writeFile(page, replaceSection(await readFile(page, 'utf8'), sections.join('\n\n')));
}

/** @throws if the page lacks the section's markers */
export function replaceSection(page: string, text: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the page lacks ${begin} or ${end}`);
  return `${before}${begin}\n${text}\n${end}${after}`;
}
