import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** A change of the code that makes a rule false for a request that a client can send. */
export interface Break {
  /** Ids of the rules in `security/rules.tsv`, separated by spaces. */
  readonly ids: string;
  /** The false behavior. */
  readonly breaks: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly text: string;
  /** Replaces the text. */
  readonly by: string;
  /** The test file that must fail. */
  readonly test: string;
  /** Runs only the tests with a matching title. Empty: all. */
  readonly only: string;
}

const columns = ['ids', 'breaks', 'file', 'text', 'by', 'test', 'only'] as const;

const unescaped: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\t': '\t' };
const fromCell = (cell: string) => cell.replaceAll(/\\[\\nt]/g, (found) => unescaped[found] ?? found);

/** Reads `security/breaks.tsv`: one break for each place that enforces a rule, in the order of the files. */
export const readBreaks = (): Break[] =>
  readFileSync(join(root, 'security/breaks.tsv'), 'utf8')
    .replace(/\n$/, '')
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t').map(fromCell))
    .map(
      (cells) => Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ''])) as unknown as Break,
    );
