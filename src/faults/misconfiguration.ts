/**
 * The operator's side is wrong: a setting, a file, an argument of a command. Carries one clear line for each fault
 * and never a value, since a value may be a secret.
 */
export class Misconfiguration extends Error {
  override readonly name = 'Misconfiguration';
  readonly faults: readonly string[];

  constructor(...faults: string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** What some work finds to be wrong; none when it succeeds. */
export function faultsOf(work: () => unknown): readonly string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof Misconfiguration) return error.faults;
    throw error;
  }
}
