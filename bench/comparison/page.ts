import { readFile, writeFile } from 'node:fs/promises';
import { formatMarkdown } from '../table.ts';
import type { Measured } from './measure.ts';
import { describePanels } from './panels.ts';
import { drawPanels } from './picture.ts';
import type { Table } from './tables.ts';

const docs = new URL('../../docs/', import.meta.url);
const pictureName = 'images/performance.svg';

const [begin, end] = ['<!-- begin: the bench writes this section -->', '<!-- end: the bench writes this section -->'];

/**
 * Writes the measured figures into docs/performance.md.
 * @param circumstances lines with the date, the machine and the versions
 */
export async function writePage(
  measured: Measured,
  tables: readonly Table[],
  circumstances: readonly string[],
): Promise<void> {
  const page = new URL('performance.md', docs);
  const alternative = 'Bars of the medians in the tables below: Janua on three stores, and its peers';
  const sections = [
    ...circumstances,
    `![${alternative}](${pictureName})`,
    ...tables.map(({ title, lines }) => `**${title}**\n\n${formatMarkdown(lines)}`),
  ];
  await writeFile(page, replaceSection(await readFile(page, 'utf8'), sections.join('\n\n')));
  await writeFile(new URL(pictureName, docs), drawPanels('Janua beside its peers', describePanels(measured)));
}

/** @throws if the page lacks the section's markers */
export function replaceSection(page: string, text: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the page lacks ${begin} or ${end}`);
  return `${before}${begin}\n${text}\n${end}${after}`;
}
