import type { Log } from '../../ground/faults/log.ts';

/** A failed sign-in with a provider. `unreachable`: neither the user nor the answer is the cause. */
export class UpstreamFault extends Error {
  override readonly name = 'UpstreamFault';
  readonly reason: 'unreachable' | 'denied' | 'invalid-response';

  constructor(reason: UpstreamFault['reason'], cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

export type Fail = ReturnType<typeof createFail>;

/** Logs why a sign-in with a provider failed, and throws an `UpstreamFault`. */
export const createFail =
  (upstream: string, log: Pick<Log, 'warn'>) =>
  (error: unknown, reason = reasonOf(error)): never => {
    const { code, message, error: answer } = error as Readonly<Record<string, unknown>>;
    log.warn(
      { event: 'upstream_failed', upstream, reason, code, answer, detail: message },
      'a sign-in with a provider failed',
    );
    throw new UpstreamFault(reason, error);
  };

/** Network errors, time limits and responses of 500 or more mean that the provider is unreachable. */
function reasonOf(error: unknown): UpstreamFault['reason'] {
  const { code = '', error: answer = '', status = 0, cause } = error as Readonly<Record<string, unknown>>;
  if (answer === 'access_denied') return 'denied';
  const isAway =
    ['OAUTH_TIMEOUT', 'OAUTH_ABORT'].includes(String(code)) ||
    ['server_error', 'temporarily_unavailable'].includes(String(answer)) ||
    Math.max(Number(status), cause instanceof Response ? cause.status : 0) >= 500 ||
    (error instanceof TypeError && code === '') ||
    cause instanceof TypeError;
  return isAway ? 'unreachable' : 'invalid-response';
}
