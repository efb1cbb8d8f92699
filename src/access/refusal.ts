/** Every way in which the server says an expected no. The HTTP layer has an answer for each, or it does not compile. */
export const refusalCodes = [
  'invalid-credentials',
  'incomplete-login',
  'unsupported-grant-type',
  'too-many-attempts',
  'not-authenticated',
  'invalid-token',
  'no-session',
  'ambiguous-credential',
  'invalid-return',
  'cross-site',
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

/** An expected no. Carries a code only: statuses and words belong to the HTTP layer. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  /** Seconds after which another try makes sense, where that is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: RefusalCode, retryAfterSeconds?: number) {
    super(code);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
