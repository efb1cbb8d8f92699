/** A fault that the operator has to correct. Neither text contains a setting's value, because the value may be a secret. */
export interface Fault {
  readonly message: string;
  /** The instruction for the operator. Undefined if the message already says it, as in "PORT must be a whole number". */
  readonly fix?: string;
}

/** An error for a wrong setting, file or command argument. */
export class Misconfiguration extends Error {
  override readonly name = 'Misconfiguration';
  readonly faults: readonly Fault[];

  /** @param given faults. A text is a fault without a separate fix */
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

/** Returns the faults that `work` throws. Empty if it succeeds. */
export function faultsOf(work: () => unknown): readonly Fault[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof Misconfiguration) return error.faults;
    throw error;
  }
}
