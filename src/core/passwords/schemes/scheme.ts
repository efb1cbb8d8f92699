export interface ComparableHash {
  readonly scheme: string;
  /** A `weak` hash can match too, but is to be replaced by a hash of the current cost. */
  readonly state: 'current' | 'weak';
  /** Scheme and cost. Comparing takes the same time with all hashes of one kind. */
  readonly kind: string;
  /** Roughly the milliseconds of one comparison, only to rank kinds. */
  readonly effort: number;
  /** Computes synchronously, which occupies a core. May throw an error of the hashing library. */
  matches(password: Buffer): boolean;
}

/** Malformed, too costly, or of an unknown scheme. @param scheme is logged, so it is never a part of the hash */
export const broken = (scheme: string) => ({ scheme, state: 'broken' }) as const;

export type StoredPassword = ComparableHash | ReturnType<typeof broken>;
