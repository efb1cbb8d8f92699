/** The result of one check. Unless it is `ok`, it has a fix. */
export interface Finding {
  /** `warning`: it works, but worse than it could. `wrong`: users cannot sign in, or are at risk. */
  readonly state: 'ok' | 'warning' | 'wrong';
  /** A sentence for the operator, without secrets. It and the fix have places for the values, such as `{name}`. */
  readonly message: string;
  readonly fix?: string;
  readonly values: Values;
}

type Values = Readonly<Record<string, string | number>>;

/** Yields each finding at once, so that a later fault does not lose it. Returns what further checks need. */
export type Check<Result = void> = AsyncGenerator<Finding, Result>;

const found =
  (state: 'warning' | 'wrong') =>
  (message: string, fix: string, values: Values = {}): Finding => ({ state, message, fix, values });

export const ok = (message: string, values: Values = {}): Finding => ({ state: 'ok', message, values });
export const warning = found('warning');
export const wrong = found('wrong');

/**
 * Runs a check that needs the result of an earlier check.
 * @param why the reason to show if there is no such result
 */
export async function* needing<Given, Result>(
  given: Given | undefined,
  why: string,
  check: (given: Given) => Check<Result>,
): Check<Result | undefined> {
  if (given !== undefined) return yield* check(given);
  yield warning(`Not checked, because ${why}.`, 'Fix that first, then run the check again.');
  return undefined;
}
