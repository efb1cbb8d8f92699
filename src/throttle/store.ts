/** Failures of one key, as they are kept. */
export interface FailureRecord {
  readonly key: string;
  readonly count: number;
  /** When the last was counted, in milliseconds since 1970. */
  readonly lastAt: number;
}
