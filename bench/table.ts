/** Lines of cells. The first line is the heading. */
export type Lines = readonly (readonly string[])[];

export interface Table {
  readonly title: string;
  readonly lines: Lines;
}

/** Formats counts by their names. */
export const describeCounts = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map((entry) => entry.join(': '))
    .join(', ');

export const yesOrNo = (met: boolean) => (met ? 'yes' : 'NO');

/** Aligns columns: the first to the left, figures to the right. The last column has no padding. */
export function formatTable(lines: Lines): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          if (column === 0) return cell.padEnd(widths[column] ?? 0);
          return column === line.length - 1 && cell.length > 0 ? cell : cell.padStart(widths[column] ?? 0);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Formats the same lines as a Markdown table. */
export function formatMarkdown([heading = [], ...lines]: Lines): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const alignment = heading.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(heading), `|${alignment.join('|')}|`, ...lines.map(line)].join('\n');
}
