import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';

export const root = fileURLToPath(new URL('..', import.meta.url));
const lists = {
  mutants: join(root, 'security/mutants.tsv'),
  results: join(root, 'security/mutants-results.tsv'),
};

export interface Mutant {
  /** Of the rules that the break makes false: ids in `security/*.tsv`, separated by spaces. */
  readonly ids: string;
  /** The false behaviour. */
  readonly breaks: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly text: string;
  readonly by: string;
  /** The test file that must fail. */
  readonly test: string;
  /** Runs only the tests with a matching title. Empty: all. */
  readonly only: string;
}

export interface Result {
  /** A digest of the broken function, and of the test with its helpers. */
  readonly fingerprint: string;
  /** In which run it was checked. They are counted. */
  readonly run: number;
  /** The title of the test that failed. */
  readonly title: string;
}

const columns = ['ids', 'breaks', 'file', 'text', 'by', 'test', 'only'] as const;

const escaped: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\t': '\\t' };
const unescaped = new Map(Object.entries(escaped).map(([one, other]) => [other, one]));
const toCell = (text: string) => text.replaceAll(/[\\\n\t]/g, (found) => escaped[found] ?? found);
const fromCell = (cell: string) => cell.replaceAll(/\\[\\nt]/g, (found) => unescaped.get(found) ?? found);

/** The cells of each line but the first. */
const readTable = (path: string) =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .replace(/\n$/, '')
        .split('\n')
        .slice(1)
        .map((line) => line.split('\t').map(fromCell))
    : [];

export const readMutants = (): Mutant[] =>
  readTable(lists.mutants).map(
    (cells) => Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ''])) as unknown as Mutant,
  );

/** A result belongs to a break, in whatever words it is described. */
export const keyOf = (mutant: Mutant) =>
  hash('sha256', [mutant.file, mutant.text, mutant.by, mutant.test, mutant.only].join('\n'), 'base64url').slice(0, 16);

export const readResults = () =>
  new Map<string, Result>(
    readTable(lists.results).map(([key = '', fingerprint = '', run = '', title = '']) => [
      key,
      { fingerprint, run: Number(run), title },
    ]),
  );

export const writeResults = (results: ReadonlyMap<string, Result>) => {
  const lines = [...results].map(([key, { fingerprint, run, title }]) =>
    [key, fingerprint, run, toCell(title)].join('\t'),
  );
  return writeFile(lists.results, `${['mutant\tfingerprint\trun\tnoticed by', ...lines.sort()].join('\n')}\n`);
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string';

/** The smallest function around a place, with its name, or else the statement at the top of the file. */
export function codeAround(file: string, source: string, text: string): string {
  if (!file.endsWith('.ts')) return source;
  const [from, to] = [source.indexOf(text), source.indexOf(text) + text.length];
  const holds = ({ start, end }: Node) => start <= from && to <= end;
  let found: Node | undefined;
  function visit(value: unknown): void {
    if (Array.isArray(value)) value.forEach(visit);
    if (!isNode(value) || !holds(value)) return;
    // A callback without a name is a part of what calls it.
    const hasName = /^(?:FunctionDeclaration|VariableDeclarator|Property|MethodDefinition)$/.test(value.type);
    if (hasName || found === undefined) found = value;
    Object.values(value).forEach(visit);
  }
  // Positions count bytes of UTF-16, as those of a text do.
  visit(parseSync(file, source).program.body);
  return found === undefined ? source : source.slice(found.start, found.end);
}

/**
 * A test file, and what it imports from its own folder. What all folders share (`test/janua.ts`, `test/servers/`) does not count: each
 * change there would make every result stale.
 */
function helpersOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file) || !existsSync(join(root, file))) return found;
  found.add(file);
  const source = readFileSync(join(root, file), 'utf8');
  for (const [, path = ''] of source.matchAll(/from '(\.\/[^']+\.ts)'/g))
    helpersOf(normalize(join(dirname(file), path)), found);
  return found;
}

/** Lines of comment do not count. */
export function fingerprintOf({ file, text, test }: Mutant): string {
  const source = readFileSync(join(root, file), 'utf8');
  const tested = [...helpersOf(test)].sort().map((path) => readFileSync(join(root, path), 'utf8'));
  const code = [codeAround(file, source, text), ...tested].map((each) => each.replaceAll(/^[ \t]*\/\/.*\n/gm, ''));
  return hash('sha256', code.join('\0'), 'base64url').slice(0, 16);
}

export interface Checked extends Mutant {
  /** The title of the test that failed. Undefined if none did, or if the result is stale. */
  readonly noticedBy: string | undefined;
}

/** The mutants with the results that still hold. */
export function readChecked(): Checked[] {
  const results = readResults();
  return readMutants().map((mutant) => {
    const result = results.get(keyOf(mutant));
    const isFresh = result?.fingerprint === fingerprintOf(mutant);
    return { ...mutant, noticedBy: isFresh ? result?.title : undefined };
  });
}
