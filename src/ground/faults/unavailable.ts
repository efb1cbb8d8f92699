/**
 * The error of a part that cannot work now. The response is 503 with `Retry-After`. A request that cannot be checked is refused (ASVS
 * 16.5.2).
 */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  /** The name of the part, for the log and `/health/ready`. */
  readonly part: string;
  /** Seconds after which another attempt makes sense. */
  readonly retryAfterSeconds: number;

  constructor(part: string, retryAfterSeconds: number, cause?: unknown) {
    super(`${part} is unavailable`, { cause });
    this.part = part;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
