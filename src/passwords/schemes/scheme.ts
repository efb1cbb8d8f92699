/** A stored password hash of a scheme that is understood and whose cost is within bounds. */
export interface ComparableHash {
  readonly scheme: string;
  /** `weak` matches as well, but is to be replaced by a hash of today's cost. */
  readonly state: 'current' | 'weak';
  /** Scheme and cost: comparing takes the same time with all hashes of one kind. */
  readonly kind: string;
  /** Roughly the milliseconds of one comparison, only to tell which of two kinds is the dearer. */
  readonly effort: number;
  /** Computes it here and now, which takes a core for its time. May throw what the library that does it throws. */
  matches(password: Buffer): boolean;
}

/** A stored hash that is not computed: malformed, too costly, or of a scheme that is not understood. */
export interface BrokenHash {
  /** Safe to log: never a part of the hash. */
  readonly scheme: string;
  readonly state: 'broken';
}

export type StoredPassword = ComparableHash | BrokenHash;

export const broken = (scheme: string): BrokenHash => ({ scheme, state: 'broken' });
