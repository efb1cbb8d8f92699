import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type Mutant, readMutants } from './mutant-list.ts';

/**
 * `npm run evidence` writes `docs/security/evidence.md` from the lists in `security/`: the rules that do not hold, and the kind of proof of
 * the others. A test compares them.
 */
const root = new URL('..', import.meta.url);

const states = ['holds', 'does not hold', 'does not apply'] as const;

/**
 * Of rules that hold: `shown`, if `security/mutants.tsv` has a break of it that a test must notice; `stated`, if a section of the docs is what the rule asks for,
 * or if no test can show it and the note says why; `claimed`, as long as neither is there.
 */
const proofs = ['shown', 'stated', 'claimed'] as const;

interface Row {
  readonly id: string;
  readonly requirement: string;
  readonly state: (typeof states)[number];
  /** Why the state applies, how far it holds, or why no test can show it. */
  readonly note: string;
  /** For rules that ask for documentation, its sections, such as `docs/running.md#several-processes`. Spaces separate them. */
  readonly document: string;
}

interface Judged extends Row {
  readonly verdict: (typeof proofs)[number] | Exclude<Row['state'], 'holds'>;
  readonly isBroken: boolean;
}

/** The lists in `security/`, with their titles on the page. */
const lists = [
  ['checks.tsv', 'Checks of the server from outside (ASVS, RFCs, OWASP cheat sheets, NIST SP 800-63B-4)'],
  ['asvs.tsv', 'OWASP ASVS 5.0.0, the chapters that concern an authentication server'],
  ['incidents.tsv', 'Incidents of other systems, from their advisories and changelogs'],
] as const;

/** The note of a rule that no test can show begins with it. */
const untestable = 'no test: ';

async function readRows(name: string): Promise<Row[]> {
  const text = await readFile(new URL(`security/${name}`, root), 'utf8');
  // If the last column is empty, the line ends in a tab.
  const [head = '', ...lines] = text.replace(/\n$/, '').split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    if (cells.length !== columns.length)
      throw new Error(`security/${name}: a line has ${cells.length} columns instead of ${columns.length}: ${line}`);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]])) as unknown as Row;
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

function judge(row: Row, mutants: readonly Mutant[]): Judged {
  const isBroken = mutants.some(({ ids }) => ids.split(' ').includes(row.id));
  const proof = isBroken ? 'shown' : row.document || row.note.startsWith(untestable) ? 'stated' : 'claimed';
  return { ...row, isBroken, verdict: row.state === 'holds' ? proof : row.state };
}

/** Finds every mistake that would make the files untrue. */
async function findFaults(rows: readonly Judged[], mutants: readonly Mutant[]): Promise<string[]> {
  const faults: string[] = [];
  const known = new Set(rows.map(({ id }) => id));
  if (known.size !== rows.length) faults.push('An id occurs twice in security/*.tsv.');
  for (const { ids, breaks } of mutants)
    for (const id of ids.split(' '))
      if (!known.has(id)) faults.push(`“${breaks}” breaks ${id}, which is not in security/*.tsv.`);
  for (const { id, state, note, document, isBroken } of rows) {
    if (!states.includes(state)) faults.push(`${id} has the unknown state ${state}.`);
    if (state !== 'holds' && note === '') faults.push(`${id} needs a note that says why.`);
    if (state === 'does not apply' && isBroken) faults.push(`${id} does not apply, but is broken on purpose.`);
    for (const pointer of document.split(' ').filter(Boolean))
      if (!(await hasSection(pointer))) faults.push(`${id}: the section ${pointer} does not exist.`);
  }
  return faults;
}

/** Escapes text for a table cell. */
const inCell = (text: string) => text.replaceAll(/[\\|<_*`]/g, '\\$&');

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function formatPage(rowsOf: readonly (readonly Judged[])[]): string {
  const rows = rowsOf.flat();
  const verdicts = [...proofs, 'does not hold', 'does not apply'] as const;
  const within = (verdict: Judged['verdict'], among = rows) => among.filter((row) => row.verdict === verdict);
  const list = (verdict: Judged['verdict']) =>
    table(
      ['id', 'rule', 'why'],
      within(verdict).map(({ id, requirement, note, document }) => [
        id,
        inCell(requirement),
        inCell(note.replace(untestable, '')) ||
          document
            .split(' ')
            .map((pointer) => `[${pointer.replace('docs/', '')}](${pointer.replace('docs/', '../')})`)
            .join(', '),
      ]),
    );
  const claimed = within('claimed');
  return `# Evidence

Made by \`npm run evidence\`: do not edit.

## What does not hold

${list('does not hold')}

## What holds, and what shows it

Janua is compared with three lists. Of the rules that hold:

- **shown**: [mutants.tsv](../../security/mutants.tsv) has a break of the code that makes the rule false, and names the test that
  notices it. \`npm run mutants -- S46\` tries the breaks of one rule, \`npm run mutants -- --all\` all of them.
- **stated**: the rule asks for documentation, or no test can show it.
- **claimed**: no break shows it yet.

${table(
  ['list', 'rules', ...verdicts],
  lists.map(([data, name], index) => {
    const among: readonly Judged[] = rowsOf[index] ?? [];
    const counts = verdicts.map((verdict) => within(verdict, [...among]).length);
    return [`[${name}](../../security/${data})`, among.length, ...counts];
  }),
)}

No ASVS level is claimed for the whole. No result of a run is kept: before each release, all breaks are tried.
${claimed.length === 0 ? '' : `\n## What is claimed\n\n${claimed.map(({ id }) => id).join(', ')}\n`}
## What is stated

${list('stated')}
`;
}

/** Gives the text of `docs/security/evidence.md`. @throws {Error} that names every mistake in the lists */
export async function makePage(): Promise<string> {
  const mutants = readMutants();
  const rows = (await Promise.all(lists.map(([data]) => readRows(data)))).map((list) =>
    list.map((row) => judge(row, mutants)),
  );
  const faults = await findFaults(rows.flat(), mutants);
  if (faults.length > 0) throw new Error([...new Set(faults)].sort().join('\n  '));
  return formatPage(rows);
}

export const pagePath = 'docs/security/evidence.md';

if (import.meta.main) await writeFile(new URL(pagePath, root), await makePage());
