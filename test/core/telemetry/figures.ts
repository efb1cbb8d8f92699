/** One sample in the text format of Prometheus. */
export interface Figure {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Parses the text format of Prometheus. An invalid line fails the test. */
export function readFigures(text: string): Figure[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [];
    const [, name, labels = '', value] = /^([a-z_\d]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined || !/^(?:[-+.\de]+|NaN|Nan|\+Inf)$/.test(value ?? ''))
      throw new TypeError(`no figure: ${line}`);
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [key, text]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

/** The sum of all samples with this name and these labels. Undefined if there is none. */
export function sumOf(figures: readonly Figure[], name: string, labels: Figure['labels'] = {}): number | undefined {
  const found = figures.filter(
    (figure) => figure.name === name && Object.entries(labels).every(([key, value]) => figure.labels[key] === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
