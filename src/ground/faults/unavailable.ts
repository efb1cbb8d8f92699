/** A part cannot work now. Without a decision access is denied: 503 with `Retry-After` (ASVS 16.5.2). */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  /** The name of the part, for the log and `/health/ready`. */
  readonly part: string;
  /** Seconds until another try makes sense. */
  readonly retryAfterSeconds: number;

  constructor(part: string, retryAfterSeconds: number, cause?: unknown) {
    super(`${part} is unavailable`, { cause });
    this.part = part;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
