import { existsSync } from 'node:fs';
import { glob, readFile, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Evidence } from './evidence-reporter.ts';
import { mutants } from './mutants.ts';

/**
 * `npm run evidence` writes `docs/security/evidence.md` and `security/evidence.tsv`. They list which rules hold, and which tests show it.
 * Their sources are the lists in `security/`, and the ids above the tests of the last whole run.
 */
const root = new URL('..', import.meta.url);

/** A whole run of the tests writes its evidence here. */
export const evidenceFile = new URL('node_modules/.cache/janua/evidence.json', root);

/** `later` is for rules about features that do not exist yet. */
const states = ['holds', 'does not hold', 'does not apply', 'later'] as const;
type State = (typeof states)[number];

interface Row {
  readonly id: string;
  readonly requirement: string;
  readonly state: State;
  /** Why the state applies, or how far it holds. */
  readonly note: string;
  /** For rules that ask for documentation, its sections, such as `docs/running.md#several-processes`. Spaces separate them. */
  readonly document: string;
}

/** The lists in `security/`, with their titles on the page. */
const lists = [
  ['checks.tsv', 'Checks of the server from outside (ASVS, RFCs, OWASP cheat sheets, NIST SP 800-63B-4)'],
  ['asvs.tsv', 'OWASP ASVS 5.0.0, the chapters that concern an authentication server'],
  ['incidents.tsv', 'Incidents of other systems, from their advisories and changelogs'],
] as const;

/** A mistake in the lists or in the ids above tests. */
class EvidenceFault extends Error {}

async function readRows(name: string): Promise<Row[]> {
  const text = await readFile(new URL(`security/${name}`, root), 'utf8');
  // If the last column is empty, the line ends in a tab.
  const [head = '', ...lines] = text.replace(/\n$/, '').split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    if (cells.length !== columns.length)
      throw new EvidenceFault(
        `security/${name}: a line has ${cells.length} columns instead of ${columns.length}: ${line}`,
      );
    const row = Object.fromEntries(columns.map((column, index) => [column, cells[index]])) as unknown as Row;
    if (!states.includes(row.state))
      throw new EvidenceFault(`security/${name}: ${row.id} has the unknown state ${row.state}`);
    if (row.state !== 'holds' && row.note === '')
      throw new EvidenceFault(`security/${name}: ${row.id} needs a note that says why`);
    return row;
  });
}

/** Gives the anchor that GitHub makes for a heading. */
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

/** Finds every mistake that would make the files untrue. */
async function findFaults(rows: readonly Row[], evidence: readonly Evidence[]): Promise<string[]> {
  const faults: string[] = [];
  const known = new Set(rows.map(({ id }) => id));
  if (known.size !== rows.length) faults.push('An id occurs twice in security/*.tsv.');
  for (const { id, file, title } of evidence)
    if (!known.has(id)) faults.push(`${file}: “${title}” shows ${id}, which is not in security/*.tsv.`);
  for (const { id, state, document } of rows) {
    const outcomes = evidence.filter((item) => item.id === id).map(({ outcome }) => outcome);
    const pointers = document.split(' ').filter((pointer) => pointer !== '');
    for (const pointer of pointers)
      if (!(await hasSection(pointer))) faults.push(`${id}: the section ${pointer} does not exist.`);
    if (outcomes.includes('failed')) faults.push(`${id}: a test that shows it failed.`);
    if (state === 'holds' && !outcomes.includes('passed') && pointers.length === 0)
      faults.push(`${id} is listed as holding, but no passed test shows it.`);
    if ((state === 'later' || state === 'does not apply') && outcomes.length > 0)
      faults.push(`${id} is listed as “${state}”, but a test shows it.`);
  }
  return faults;
}

/** Escapes text for a table cell. */
const inCell = (text: string) => text.replaceAll(/[\\|<_*`]/g, '\\$&');

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Gives a line for each id, with its sections of documentation and the files of its tests. */
function formatData(rows: readonly Row[], evidence: readonly Evidence[]): string {
  const lines = rows.map(({ id, document }) => {
    const files = new Set(evidence.filter((item) => item.id === id).map(({ file }) => file));
    return `${id}\t${[...document.split(' '), ...[...files].sort()].filter(Boolean).join(' ')}`;
  });
  return `${['id\tshown by', ...lines].join('\n')}\n`;
}

function formatPage(rowsOf: readonly Row[][], mutantCount: number): string {
  const rows = rowsOf.flat();
  const withState = (state: State, among: readonly Row[] = rows) => among.filter((row) => row.state === state);
  const summary = lists.map(([data, name], index) => {
    const among: readonly Row[] = rowsOf[index] ?? [];
    return [
      `[${name}](../../security/${data})`,
      among.length,
      ...states.map((state) => withState(state, among).length),
    ];
  });
  const later = [...Map.groupBy(withState('later'), ({ note }) => note)].sort(
    ([, one], [, other]) => other.length - one.length,
  );
  return `# Evidence

Janua is compared with three lists. An entry holds if a test with its id above it passes, or if the section of the
documentation that it asks for exists.

${table(['list', 'entries', ...states], summary)}

No ASVS level is claimed for the whole. The lists say how far an entry holds, and why it does not apply.
[evidence.tsv](../../security/evidence.tsv) names the tests and sections of each entry. To find a test, search its file for the id.

**Mutants.** \`npm run mutants\` breaks a copy of the code in ${mutantCount} places, one after the other. For each
break, a test that shows the entry fails: [mutants.tsv](../../security/mutants.tsv).

\`npm run evidence\` writes this page and \`evidence.tsv\` from the last whole run of the tests. Do not edit them.

## What does not hold

${table(
  ['id', 'rule', 'why'],
  withState('does not hold').map(({ id, requirement, note }) => [id, inCell(requirement), inCell(note)]),
)}

## What waits for missing features

${table(
  ['for', 'entries'],
  later.map(([note, waiting]) => [inCell(note), waiting.map(({ id }) => id).join(', ')]),
)}
`;
}

/**
 * Gives the text that each file should have, by path.
 * @throws {EvidenceFault} when no test or section shows a rule that is listed as holding
 */
export async function makeFiles(evidence: readonly Evidence[]): Promise<Map<string, string>> {
  const rows = await Promise.all(lists.map(([data]) => readRows(data)));
  const faults = await findFaults(rows.flat(), evidence);
  if (faults.length > 0) throw new EvidenceFault([...new Set(faults)].sort().join('\n  '));
  return new Map([
    ['docs/security/evidence.md', formatPage(rows, mutants.length)],
    ['security/evidence.tsv', formatData(rows.flat(), evidence)],
  ]);
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

/** Runs `work` and prints its mistakes instead of throwing them. @returns whether there were none */
async function saysFaults(work: () => Promise<string | undefined>): Promise<boolean> {
  const fault = await work().catch((error: unknown) => {
    if (error instanceof EvidenceFault) return error.message;
    throw error;
  });
  if (fault !== undefined) process.stdout.write(`  ${fault}\n`);
  return fault === undefined;
}

/** Tells whether the files match the run that has just ended. Prints the differences. */
export const checkFiles = () =>
  saysFaults(async () => {
    const stale = await findStale(await makeFiles(await readEvidence()));
    return stale.length === 0 ? undefined : `Out of date: ${stale.join(', ')}. Run: npm run evidence`;
  });

/** Writes the files from the last whole run, unless a test file has changed since. */
const writeFiles = () =>
  saysFaults(async () => {
    const fault = 'Run npm test first, without arguments: ';
    if (!existsSync(evidenceFile)) return `${fault}no run has finished yet.`;
    const { mtimeMs, size } = await stat(evidenceFile);
    if (size === 0) return `${fault}the last run was interrupted.`;
    for await (const path of glob('test/**/*.ts', { cwd: fileURLToPath(root) }))
      if ((await stat(new URL(path.replaceAll('\\', '/'), root))).mtimeMs > mtimeMs)
        return `${fault}${path} has changed since the last run.`;
    const made = await makeFiles(await readEvidence());
    for (const [path, text] of made) await writeFile(new URL(path, root), text);
    return undefined;
  });

if (import.meta.main && !(await writeFiles())) process.exitCode = 1;
