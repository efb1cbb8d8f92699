export interface ComparableHash {
  readonly scheme: string;
  /** `weak`: a password can match the hash, but Janua then replaces it with a hash of the current cost. */
  readonly state: 'current' | 'weak';
  /** The scheme and the cost. A comparison takes the same time for all hashes of one kind. */
  readonly kind: string;
  /** Roughly the milliseconds of one comparison. Used only to rank kinds. */
  readonly effort: number;
  /** Computes synchronously, which occupies a core. May throw an error of the hashing library. */
  matches(password: Buffer): boolean;
}

/**
 * The result for a hash that is malformed, too costly, or of an unknown scheme.
 * @param scheme is logged, so it must never contain a part of the hash
 */
export const broken = (scheme: string) => ({ scheme, state: 'broken' }) as const;

export type StoredPassword = ComparableHash | ReturnType<typeof broken>;
