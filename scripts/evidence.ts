import { existsSync } from 'node:fs';
import { glob, readFile, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Evidence } from './evidence-reporter.ts';

/**
 * The pages in `docs/security/` that say what holds and which tests show it. They are made from `security/*.tsv`, which says what there
 * is to show, and from what the titles of tests carried in the last whole run. `npm run evidence` writes them.
 */
const root = new URL('..', import.meta.url);

/** Where a whole run of the tests leaves what its titles carried. */
export const evidenceFile = new URL('node_modules/.cache/janua/evidence.json', root);

/** `later` belongs to something that does not exist yet. */
const states = ['holds', 'does not hold', 'does not apply', 'later'] as const;
type State = (typeof states)[number];

interface Row {
  readonly id: string;
  /** Under which heading it stands. */
  readonly chapter: string;
  /** ASVS level, of requirements alone. */
  readonly level?: string;
  /** What happened elsewhere, of incidents alone. */
  readonly incident?: string;
  readonly requirement: string;
  readonly state: State;
  /** Why, or how far. */
  readonly note: string;
  /** `docs/operation.md#several-processes`, where writing it down is what is asked for. Several are separated by spaces. */
  readonly document: string;
}

interface Page {
  /** What the page is made from, in `security/`. */
  readonly data: string;
  /** In `docs/security/`. */
  readonly page: string;
  readonly intro: string;
}

const pages: readonly Page[] = [
  {
    data: 'checks.tsv',
    page: 'checks.md',
    intro: `# Checks

What is checked of the server from outside, unless it says otherwise, with where the rule comes from: ASVS 5.0.0 (three numbers), OWASP's
cheat sheets (CS), NIST SP 800-63B-4, RFCs.`,
  },
  {
    data: 'asvs.tsv',
    page: 'asvs.md',
    intro: `# OWASP ASVS 5.0.0

The requirements in our words, with their level, for the chapters that concern an authentication server. No level is claimed for the whole:
see what does not hold.`,
  },
  {
    data: 'incidents.tsv',
    page: 'incidents.md',
    intro: `# What broke elsewhere

Faults of other systems of this kind, as their advisories and changelogs report them, and what is tested here so that it does not happen again.
Each is run over pages and JSON, cookie and token, and the stores, where that matters.`,
  },
];

/** A mistake in the data or the titles, which whoever writes them can put right. */
class EvidenceFault extends Error {}

async function readRows(name: string): Promise<Row[]> {
  const text = await readFile(new URL(`security/${name}`, root), 'utf8');
  // The last column may be empty, and the line then ends in a tab.
  const [head = '', ...lines] = text.replace(/\n$/, '').split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    if (cells.length !== columns.length)
      throw new EvidenceFault(`security/${name}: not ${columns.length} columns: ${line}`);
    const row = Object.fromEntries(columns.map((column, index) => [column, cells[index]])) as unknown as Row;
    if (!states.includes(row.state)) throw new EvidenceFault(`security/${name}: ${row.id} is ${row.state}`);
    if (row.state !== 'holds' && row.note === '') throw new EvidenceFault(`security/${name}: ${row.id}: why not?`);
    return row;
  });
}

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

async function hasSection(pointer: string): Promise<boolean> {
  const [path = '', anchor] = pointer.split('#');
  if (!existsSync(new URL(path, root))) return false;
  const headings = (await readFile(new URL(path, root), 'utf8')).matchAll(/^#+ (.+)$/gm);
  return anchor === undefined || [...headings].some(([, heading = '']) => anchorOf(heading) === anchor);
}

/** Every mistake that keeps the pages from being true. */
async function findFaults(rows: readonly Row[], evidence: readonly Evidence[]): Promise<string[]> {
  const faults: string[] = [];
  const known = new Set(rows.map(({ id }) => id));
  if (known.size !== rows.length) faults.push('An id stands twice in security/*.tsv.');
  for (const { id, file, title } of evidence)
    if (!known.has(id)) faults.push(`${file}: “${title}” carries ${id}, which security/*.tsv do not know.`);
  for (const { id, state, document } of rows) {
    const outcomes = evidence.filter((item) => item.id === id).map(({ outcome }) => outcome);
    const pointers = document.split(' ').filter((pointer) => pointer !== '');
    for (const pointer of pointers) if (!(await hasSection(pointer))) faults.push(`${id}: there is no ${pointer}.`);
    if (outcomes.includes('failed')) faults.push(`${id}: a test that carries it failed.`);
    if (state === 'holds' && !outcomes.includes('passed') && pointers.length === 0)
      faults.push(`${id} is said to hold, and no test that was run carries it.`);
    if ((state === 'later' || state === 'does not apply') && outcomes.length > 0)
      faults.push(`${id} is carried by a test, and said to be ${state}.`);
  }
  return faults;
}

/** For a cell of a table. */
const inCell = (text: string) =>
  text
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll(/[<_*`]/g, '\\$&')
    .replaceAll('\n', ' ');

/** So many titles of one file are named; the rest, often made from a table, is counted. */
const named = 3;

function formatProof({ id, document }: Row, evidence: readonly Evidence[]): string {
  const titles = Map.groupBy(
    evidence.filter((item) => item.id === id),
    ({ file }) => file,
  );
  const tests = [...titles.keys()].sort().map((file) => {
    const all = (titles.get(file) ?? []).map(({ title }) => title).sort();
    const shown = all.length > named ? all.slice(0, named - 1) : all;
    const more = all.length > shown.length ? [`and ${all.length - shown.length} more`] : [];
    return `[${file.replace(/^test\//, '')}](../../${file}): ${[...shown.map(inCell), ...more].join('; ')}`;
  });
  const documents = document
    .split(' ')
    .filter((pointer) => pointer !== '')
    .map((pointer) => `[${pointer.replace('#', ': ').replaceAll('-', ' ')}](../../${pointer})`);
  return [...documents, ...tests].join('<br>');
}

function formatPage({ data, intro }: Page, rows: readonly Row[], evidence: readonly Evidence[]): string {
  const has = { level: rows[0]?.level !== undefined, incident: rows[0]?.incident !== undefined };
  const head = [
    '',
    ...(has.level ? ['level'] : []),
    ...(has.incident ? ['incident'] : []),
    has.incident ? 'test' : 'rule',
    'result',
    'shown by',
  ];
  const counts = states.map((state) => `${state} ${rows.filter((row) => row.state === state).length}`).join(', ');
  const lines = [
    intro,
    '',
    `Made by \`npm run evidence\` from [${data}](../../security/${data}) and the titles of the tests that passed: do not edit.`,
    `A test that is named here carries the number in its title. Of ${rows.length}: ${counts}.`,
  ];
  for (const [chapter, ofChapter] of Map.groupBy(rows, (row) => row.chapter)) {
    lines.push('', `## ${chapter}`, '', `| ${head.join(' | ')} |`, `| ${head.map(() => '---').join(' | ')} |`);
    for (const row of ofChapter) {
      const result = row.state === 'holds' ? row.state : `**${row.state}**`;
      const cells = [
        row.id,
        ...(has.level ? [row.level] : []),
        ...(has.incident ? [inCell(row.incident ?? '')] : []),
        inCell(row.requirement),
        row.note === '' ? result : `${result}: ${inCell(row.note)}`,
        formatProof(row, evidence),
      ];
      lines.push(`| ${cells.join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/**
 * The pages as they should be, by their path.
 * @throws {EvidenceFault} when something is said to hold that nothing shows
 */
async function makePages(evidence: readonly Evidence[]): Promise<Map<string, string>> {
  const rows = await Promise.all(pages.map(({ data }) => readRows(data)));
  const faults = await findFaults(rows.flat(), evidence);
  if (faults.length > 0) throw new EvidenceFault([...new Set(faults)].sort().join('\n  '));
  return new Map(
    pages.map((page, index) => [`docs/security/${page.page}`, formatPage(page, rows[index] ?? [], evidence)]),
  );
}

const readEvidence = async (): Promise<Evidence[]> => JSON.parse(await readFile(evidenceFile, 'utf8'));

async function findStale(made: ReadonlyMap<string, string>): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, text] of made) {
    const url = new URL(path, root);
    if (!existsSync(url) || (await readFile(url, 'utf8')) !== text) stale.push(path);
  }
  return stale;
}

/** Runs `work`; a mistake is said in place of thrown. @returns whether there was none */
async function saysFaults(work: () => Promise<string | undefined>): Promise<boolean> {
  const fault = await work().catch((error: unknown) => {
    if (error instanceof EvidenceFault) return error.message;
    throw error;
  });
  if (fault !== undefined) process.stdout.write(`  ${fault}\n`);
  return fault === undefined;
}

/** Whether the pages say what the run that has just ended has shown. Says what is wrong. */
export const checkPages = () =>
  saysFaults(async () => {
    const stale = await findStale(await makePages(await readEvidence()));
    return stale.length === 0
      ? undefined
      : `${stale.join(', ')}: not what the tests show. Write it anew: npm run evidence`;
  });

/** Writes the pages from the last whole run, unless a test has changed since. */
const writePages = () =>
  saysFaults(async () => {
    const fault = 'Run npm test first, the whole of it: ';
    if (!existsSync(evidenceFile)) return `${fault}there is no run to write about.`;
    const { mtimeMs, size } = await stat(evidenceFile);
    if (size === 0) return `${fault}the last run was broken off.`;
    for await (const path of glob('test/**/*.ts', { cwd: fileURLToPath(root) }))
      if ((await stat(new URL(path.replaceAll('\\', '/'), root))).mtimeMs > mtimeMs)
        return `${fault}${path} has changed since.`;
    const made = await makePages(await readEvidence());
    for (const [path, text] of made) await writeFile(new URL(path, root), text);
    return undefined;
  });

if (import.meta.main && !(await writePages())) process.exitCode = 1;
