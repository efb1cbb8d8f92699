import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { readBreaks } from './break-list.ts';

/**
 * `npm run evidence` writes `docs/security/evidence.md`: the rules of `security/rules.tsv` that do not hold, and how the others are shown. A
 * test compares them.
 */
const root = new URL('..', import.meta.url);

const states = ['holds', 'does not hold', 'does not apply'] as const;

interface Rule {
  readonly id: string;
  readonly rule: string;
  readonly state: (typeof states)[number];
  /** Why the state applies, how far it holds, or why no test can show it. */
  readonly note: string;
  /** For rules that ask for documentation, its sections, such as `docs/running.md#several-processes`. Spaces separate them. */
  readonly document: string;
}

/** The lists that the rules come from, by the beginning of their ids. */
const lists = [
  [/^S\d/, 'Checks of the server from outside (ASVS, RFCs, OWASP cheat sheets, NIST SP 800-63B-4)'],
  [/^V\d/, 'OWASP ASVS 5.0.0, the chapters that concern an authentication server'],
  [/^VM-/, 'Incidents of other systems, from their advisories and changelogs'],
] as const;

async function readRules(): Promise<Rule[]> {
  const text = await readFile(new URL('security/rules.tsv', root), 'utf8');
  // If the last column is empty, the line ends in a tab.
  const [head = '', ...lines] = text.replace(/\n$/, '').split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    if (cells.length !== columns.length)
      throw new Error(`security/rules.tsv: a line has ${cells.length} columns instead of ${columns.length}: ${line}`);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]])) as unknown as Rule;
  });
}

/** Returns the anchor that GitHub makes for a heading. */
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
async function findFaults(rules: readonly Rule[]): Promise<string[]> {
  const faults: string[] = [];
  const known = new Set(rules.map(({ id }) => id));
  const broken = new Map(readBreaks().flatMap(({ ids, breaks }) => ids.split(' ').map((id) => [id, breaks] as const)));
  if (known.size !== rules.length) faults.push('An id occurs twice in security/rules.tsv.');
  for (const [id, breaks] of broken)
    if (!known.has(id)) faults.push(`“${breaks}” breaks ${id}, which is not in security/rules.tsv.`);
  for (const { id, state, note, document } of rules) {
    if (!states.includes(state)) faults.push(`${id} has the unknown state ${state}.`);
    if (state !== 'holds' && note === '') faults.push(`${id} needs a note that says why.`);
    if (state === 'holds' && !broken.has(id) && note === '' && document === '')
      faults.push(
        `${id} holds, and has neither a break, nor a section of the docs, nor a note that says why no test can show it.`,
      );
    if (state === 'does not apply' && broken.has(id)) faults.push(`${id} does not apply, but is broken on purpose.`);
    for (const pointer of document.split(' ').filter(Boolean))
      if (!(await hasSection(pointer))) faults.push(`${id}: the section ${pointer} does not exist.`);
  }
  return faults;
}

/** Escapes text for a table cell. */
const inCell = (text: string) => text.replaceAll(/[\\|<_*`]/g, '\\$&');

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function formatPage(rules: readonly Rule[]): string {
  const within = (state: Rule['state'], among = rules) => among.filter((rule) => rule.state === state);
  return `# Evidence

Made by \`npm run evidence\`: do not edit.

Janua is compared with three lists of rules, [rules.tsv](../../security/rules.tsv). No ASVS level is claimed for the whole.

${table(
  ['list', 'rules', ...states],
  lists.map(([ids, name]) => {
    const among = rules.filter(({ id }) => ids.test(id));
    return [name, among.length, ...states.map((state) => within(state, among).length)];
  }),
)}

## What does not hold

${table(
  ['id', 'rule', 'why'],
  within('does not hold').map(({ id, rule, note }) => [id, inCell(rule), inCell(note)]),
)}

## What shows that the others hold

Each place that enforces a rule has a line in [breaks.tsv](../../security/breaks.tsv): a change of the code that makes the rule false, and
the test that must then fail. Rules that ask for documentation name its sections in rules.tsv, and a few have a note that says why no test
can show them.

    npm run breaks -- S46      # the breaks of a rule, a file or a test
    npm run breaks -- --all    # all of them, as before each release

\`npm test\` tries those that the last commit touches, and twelve more. No result is kept.

A list of breaks shows less than it seems to. People who do not know it therefore break rules in other ways from time to time:

${table(
  ['date', 'rules', 'failed a test of the rule', 'failed another test', 'failed none'],
  [
    ['1 December 2026', 50, 37, 4, 9],
    ['2 December 2026', 59, 43, 12, 4],
  ],
)}

Tests notice these 13 since, except one that changes nothing that a request can see.
`;
}

/** Returns the text of `docs/security/evidence.md`. @throws {Error} that names every mistake in the lists */
export async function makePage(): Promise<string> {
  const rules = await readRules();
  const faults = await findFaults(rules);
  if (faults.length > 0) throw new Error([...new Set(faults)].sort().join('\n  '));
  return formatPage(rules);
}

export const pagePath = 'docs/security/evidence.md';

if (import.meta.main) await writeFile(new URL(pagePath, root), await makePage());
