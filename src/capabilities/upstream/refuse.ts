import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { events, UpstreamCore } from './events.ts';
import { upstreamRefused } from './refusals.ts';

export type Reason = keyof (typeof events)['upstream-refused']['reasons'];

export type Refuse = ReturnType<typeof createRefuse>;

/** Throws a refusal again with the `next` of the sign-in, so that another attempt to log in leads to the same page. */
export function rethrowWithNext(error: unknown, next: string | undefined): never {
  if (!(error instanceof Refusal)) throw error;
  throw new Refusal(error.answer, error.retryAfterSeconds, error.pending, next);
}

/** Refuses a sign-in, and records why. */
export const createRefuse =
  ({ audit }: Pick<UpstreamCore, 'audit'>) =>
  async (reason: Reason, caller: Caller, answer = upstreamRefused, userId?: string): Promise<never> => {
    await audit.recordIfPossible({ kind: 'upstream-refused', reason, caller, userId });
    throw new Refusal(answer);
  };
