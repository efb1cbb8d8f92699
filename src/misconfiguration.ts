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
