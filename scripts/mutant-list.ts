import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const list = join(root, 'security/mutants.tsv');

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

const columns = ['ids', 'breaks', 'file', 'text', 'by', 'test', 'only'] as const;

const unescaped: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\t': '\t' };
const fromCell = (cell: string) => cell.replaceAll(/\\[\\nt]/g, (found) => unescaped[found] ?? found);

/** The breaks of `security/mutants.tsv`, one a line. */
export const readMutants = (): Mutant[] =>
  readFileSync(list, 'utf8')
    .replace(/\n$/, '')
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t').map(fromCell))
    .map(
      (cells) => Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ''])) as unknown as Mutant,
    );
