/** Bars below a title. */
export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The value as shown, with its unit. */
  readonly text: string;
  /** Whether it is Janua's, and has the accent colour. */
  readonly isOwn: boolean;
}

/** Pixels. */
const width = 800;
const margin = 20;
const labelWidth = 250;
const valueWidth = 90;
const barWidth = width - 2 * margin - labelWidth - valueWidth;
const barHeight = 16;
const lineHeight = 22;
const headHeight = 34;
const panelGap = 12;

/** Light and dark colours with enough contrast. The picture has its own background, because the page's is unknown. */
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600 }
  .ground { fill: #ffffff; stroke: #d1d9e0 }
  .own { fill: #0969da }
  .other { fill: #6e7781 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .ground { fill: #0d1117; stroke: #30363d }
    .own { fill: #4493f8 }
    .other { fill: #8b949e }
  }`;

/** Draws bars as SVG. The description has the same figures in words, for screen readers. */
export function drawPanels(title: string, panels: readonly Panel[]): string {
  const parts: string[] = [];
  let top = margin;
  for (const panel of panels) {
    parts.push(drawPanel(panel, top));
    top += headHeight + panel.bars.length * lineHeight + panelGap;
  }
  const height = top - panelGap + margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escapeText(title)}</title>`,
    `<desc id="description">${escapeText(panels.map(describe).join(' '))}</desc>`,
    `<style>${style}\n</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel({ title, bars }: Panel, top: number): string {
  const longest = Math.max(...bars.map(({ value }) => value));
  return [
    `<text class="head" x="${margin}" y="${top + 16}">${escapeText(title)}</text>`,
    ...bars.map((bar, index) => drawBar(bar, top + headHeight + index * lineHeight, longest)),
  ].join('\n');
}

function drawBar({ label, value, text, isOwn }: Bar, top: number, longest: number): string {
  const left = margin + labelWidth;
  const length = Math.max(1, (value / longest) * barWidth);
  const baseline = top + 12;
  return [
    `<text x="${margin}" y="${baseline}">${escapeText(label)}</text>`,
    `<rect class="${isOwn ? 'own' : 'other'}" x="${left}" y="${top}" width="${length.toFixed(1)}" height="${barHeight}"/>`,
    `<text x="${(left + length + 6).toFixed(1)}" y="${baseline}">${escapeText(text)}</text>`,
  ].join('\n');
}

const describe = ({ title, bars }: Panel) =>
  `${title}: ${bars.map(({ label, text }) => `${label} ${text}`).join('; ')}.`;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeText = (text: string) => text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? '');
