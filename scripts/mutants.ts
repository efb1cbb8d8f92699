import { breakCode } from './break-code.ts';
import {
  fingerprintOf,
  keyOf,
  type Mutant,
  type Result,
  readChecked,
  readMutants,
  readResults,
  writeResults,
} from './mutant-list.ts';

/**
 * `npm run mutants` breaks copies of the code in the places of `security/mutants.tsv`, and checks that the named test fails. Of those whose
 * result is fresh it takes a seventh, the longest unchecked ones. `--stale` takes none of these, `--all` takes all, and ids, files and
 * tests as arguments take only theirs. Results are in `security/mutants-results.tsv`. A result is stale when the broken function, or the
 * test, has changed since.
 */

/** @param wanted what the command was called with */
function choose(wanted: readonly string[], results: ReadonlyMap<string, Result>): Mutant[] {
  const checked = readChecked();
  if (wanted.includes('--all')) return checked;
  const stale = checked.filter(({ noticedBy }) => noticedBy === undefined);
  if (wanted.includes('--stale')) return stale;
  if (wanted.length > 0)
    return checked.filter(({ ids, file, test }) =>
      [...ids.split(' '), file, test].some((name) => wanted.includes(name)),
    );
  const runOf = (mutant: Mutant) => results.get(keyOf(mutant))?.run ?? 0;
  const fresh = checked
    .filter(({ noticedBy }) => noticedBy !== undefined)
    .sort((one, other) => runOf(one) - runOf(other));
  return [...stale, ...fresh.slice(0, Math.ceil(fresh.length / 7))];
}

/** Breaks the code, and writes the results. Gives the number of mutants that no test noticed. */
async function run(wanted: readonly string[]): Promise<number> {
  const known = new Set(readMutants().map(keyOf));
  const results = new Map([...readResults()].filter(([key]) => known.has(key)));
  const chosen = choose(wanted, results);
  if (chosen.length === 0 && !wanted.includes('--stale'))
    throw new Error(`no mutant has the id, file or test ${wanted.join(', ')}`);
  const number = Math.max(0, ...[...results.values()].map((result) => result.run)) + 1;
  let missed = 0;
  for await (const { mutant, title, fault } of breakCode(chosen)) {
    process.stdout.write(
      `${title === undefined ? '✖' : '✔'} ${mutant.ids} ${mutant.breaks}${fault ? `: ${fault}` : ''}\n`,
    );
    if (title === undefined) {
      missed += 1;
      results.delete(keyOf(mutant));
    } else results.set(keyOf(mutant), { fingerprint: fingerprintOf(mutant), run: number, title });
    await writeResults(results);
  }
  return missed;
}

if (import.meta.main && (await run(process.argv.slice(2))) > 0) process.exitCode = 1;
