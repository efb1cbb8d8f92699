import { execFileSync } from 'node:child_process';
import { breakCode } from './break-code.ts';
import { type Mutant, readMutants, root } from './mutant-list.ts';

/**
 * `npm run mutants` breaks copies of the code in the places of `security/mutants.tsv`, and prints whether the named test fails. It takes
 * the breaks whose file or test the working tree changes. `--since REV` compares with another commit, and `--all` takes every break. Ids,
 * files and tests as arguments take only theirs.
 */
function choose(wanted: readonly string[]): Mutant[] {
  const mutants = readMutants();
  if (wanted.includes('--all')) return mutants;
  const isSince = wanted.length === 0 || wanted[0] === '--since';
  const names = isSince ? filesChangedSince(wanted[1] ?? 'HEAD') : wanted;
  const chosen = mutants.filter(({ ids, file, test }) =>
    [...ids.split(' '), file, test].some((name) => names.includes(name)),
  );
  if (chosen.length === 0 && !isSince) throw new Error(`no break has the id, file or test ${wanted.join(', ')}`);
  return chosen;
}

function filesChangedSince(commit: string): string[] {
  return execFileSync('git', ['diff', '--name-only', commit], { cwd: root, encoding: 'utf8' }).split('\n');
}

/** Breaks the code. Gives the number of mutants that no test noticed. */
async function run(wanted: readonly string[]): Promise<number> {
  const chosen = choose(wanted);
  let missed = 0;
  for await (const { mutant, title, fault } of breakCode(chosen)) {
    const result = title ?? fault ?? 'no test noticed it';
    process.stdout.write(`${title === undefined ? '✖' : '✔'} ${mutant.ids} ${mutant.breaks}: ${result}\n`);
    if (title === undefined) missed += 1;
  }
  process.stdout.write(`${chosen.length - missed} of ${chosen.length} breaks were noticed\n`);
  return missed;
}

if (import.meta.main && (await run(process.argv.slice(2))) > 0) process.exitCode = 1;
