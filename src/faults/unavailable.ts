/**
 * A part that the answer depends on cannot do its work now: a store that cannot be reached, a queue that is full.
 * Nothing was decided, so access is denied: the answer is 503 with `Retry-After` (ASVS 16.5.2).
 */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  /** Which part, for the log and for `/health/ready`. */
  readonly part: string;
  /** Seconds after which another try makes sense. */
  readonly retryAfterSeconds: number;

  constructor(part: string, retryAfterSeconds: number, cause?: unknown) {
    super(`${part} is unavailable`, { cause });
    this.part = part;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
