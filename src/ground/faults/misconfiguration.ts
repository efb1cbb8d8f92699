/** One thing that the operator has to change. Neither text holds a setting's value, because the value may be a secret. */
export interface Fault {
  readonly message: string;
  /** What to do. Missing if the message already says it, as in "PORT must be a whole number". */
  readonly fix?: string;
}

/** A setting, a file or an argument of a command is wrong. */
export class Misconfiguration extends Error {
  override readonly name = 'Misconfiguration';
  readonly faults: readonly Fault[];

  /** A text is a fault that needs no fix of its own. */
  constructor(...given: readonly (Fault | string)[]) {
    const faults = given.map((fault) => (typeof fault === 'string' ? { message: fault } : fault));
    super(faults.map(lineOf).join('\n'));
    this.faults = faults;
  }

  get lines(): readonly string[] {
    return this.faults.map(lineOf);
  }
}

export const lineOf = ({ message, fix }: Fault): string => (fix === undefined ? message : `${message} ${fix}`);

/** Gives the faults that `work` throws; none if it succeeds. */
export function faultsOf(work: () => unknown): readonly Fault[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof Misconfiguration) return error.faults;
    throw error;
  }
}
