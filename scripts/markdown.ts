/** Escapes text for a table cell. */
export const inCell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export const asCode = (text: unknown) => `\`${inCell(String(text))}\``;

/** @param rows cells that are escaped already */
export const asTable = (headings: readonly string[], rows: readonly (readonly string[])[]) =>
  [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
