import type { Summary } from './statistics.ts';

/** A line of the main table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly digits?: number;
  readonly summary: Summary;
  /** The figure divided by that of the line that it is compared with. */
  readonly ratio?: number;
  readonly goal?: { readonly text: string; readonly met: boolean };
  readonly note?: string;
}

const heading = ['', 'median', 'lowest to highest', 'ratio', 'goal', 'met', ''];

export function formatRows(rows: readonly Row[]): string {
  return formatTable([heading, ...rows.map(cells)]);
}

function cells({ what, unit, digits = 0, summary, ratio, goal, note }: Row): string[] {
  const show = (value: number) => value.toFixed(digits);
  return [
    what,
    `${show(summary.median)} ${unit}`,
    `${show(summary.lowest)} to ${show(summary.highest)}`,
    ratio?.toFixed(2) ?? '',
    goal?.text ?? '',
    goal === undefined ? '' : goal.met ? 'yes' : 'NO',
    note ?? '',
  ];
}

/** Aligns columns: the first to the left, figures to the right. The last column has no padding. */
export function formatTable(lines: readonly (readonly string[])[]): string {
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
export function formatMarkdown([heading = [], ...lines]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const alignment = heading.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(heading), `|${alignment.join('|')}|`, ...lines.map(line)].join('\n');
}
