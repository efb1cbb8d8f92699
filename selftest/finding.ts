/** One thing that was looked at. What is not `ok` comes with its fix. */
export interface Finding {
  /** `warning` works, and worse than it could; `wrong` keeps people from signing in, or puts them at risk. */
  readonly state: 'ok' | 'warning' | 'wrong';
  /** A sentence for a person, without a secret in it. */
  readonly message: string;
  readonly fix?: string;
}

/** Gives its findings as they come, so that those before a fault are not lost; and at last what further checks need. */
export type Check<Result = void> = AsyncGenerator<Finding, Result>;

export const ok = (message: string): Finding => ({ state: 'ok', message });
export const warning = (message: string, fix: string): Finding => ({ state: 'warning', message, fix });
export const wrong = (message: string, fix: string): Finding => ({ state: 'wrong', message, fix });

/**
 * A check that can only be made with something that an earlier one gives.
 * @param why what to say where it is not given
 */
export async function* needing<Given, Result>(
  given: Given | undefined,
  why: string,
  check: (given: Given) => Check<Result>,
): Check<Result | undefined> {
  if (given !== undefined) return yield* check(given);
  yield warning(`Not looked at, since ${why}.`, 'Mend that first, and look again.');
  return undefined;
}
