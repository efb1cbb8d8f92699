import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { breakCode } from './break-code.ts';
import { type Break, readBreaks, root } from './break-list.ts';

/** The most changed breaks that `--sample` tries, and the number of others. */
const sampled = { changed: 40, drawn: 12 };

/**
 * `npm run breaks` breaks copies of the code in the places of `security/breaks.tsv`, and prints whether the named test fails. It takes the
 * breaks whose file or test the working tree changes.
 * - `--since REV` compares with another commit.
 * - `--sample`, in `npm test`, takes those that the last commit changes, and others that this commit draws.
 * - `--all` takes every break, before a release.
 * - Ids of rules, files and tests as arguments take only theirs.
 */
function choose(wanted: readonly string[]): Break[] {
  const breaks = readBreaks();
  const [option, commit = 'HEAD'] = wanted;
  if (option === '--all') return breaks;
  const of = (names: readonly string[]) =>
    breaks.filter(({ ids, file, test }) => [...ids.split(' '), file, test].some((name) => names.includes(name)));
  if (option === undefined || option === '--since') return of(filesChangedSince(commit));
  if (option === '--sample') {
    const head = git('rev-parse', 'HEAD') ?? '';
    const changed = draw(of(filesChangedSince('HEAD~1')), head).slice(0, sampled.changed);
    return [...new Set([...changed, ...draw(breaks, head).slice(0, sampled.drawn)])];
  }
  const chosen = of(wanted);
  if (chosen.length === 0) throw new Error(`no break has the id, file or test ${wanted.join(', ')}`);
  return chosen;
}

/** Undefined outside of a Git checkout, or for a commit that is not there. */
function git(...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

const filesChangedSince = (commit: string): string[] => (git('diff', '--name-only', commit) ?? '').split('\n');

/** Shuffles the breaks. The same seed always gives the same order. */
function draw(breaks: readonly Break[], seed: string): Break[] {
  const placeOf = ({ file, text, by }: Break) =>
    createHash('sha256').update([seed, file, text, by].join('\n')).digest('hex');
  return breaks
    .map((one) => ({ one, place: placeOf(one) }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ one }) => one);
}

/** Breaks the code. Returns the number of breaks that no test noticed. */
async function run(wanted: readonly string[]): Promise<number> {
  const chosen = choose(wanted);
  let missed = 0;
  for await (const { made, title, fault } of breakCode(chosen)) {
    const result = title ?? fault ?? 'no test noticed it';
    process.stdout.write(`${title === undefined ? '✖' : '✔'} ${made.ids} ${made.breaks}: ${result}\n`);
    if (title === undefined) missed += 1;
  }
  process.stdout.write(`${chosen.length - missed} of ${chosen.length} breaks were noticed\n`);
  return missed;
}

if (import.meta.main && (await run(process.argv.slice(2))) > 0) process.exitCode = 1;
