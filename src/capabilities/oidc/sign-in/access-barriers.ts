import { byOwner, type SignedIn } from '../../../core/access/access.ts';
import { includesSecondFactor } from '../../../core/access/factor.ts';
import type { AuditOf } from '../../../core/audit/audit.ts';
import type { Caller } from '../../../core/audit/event.ts';
import { aboutClient, displayName, mayUse, type ProviderClient } from '../clients/library-client.ts';
import type { events } from '../events.ts';
import { notInGroup, secondFactorOff } from '../refusals.ts';

/** The refusal of a user who may not use an application, and who cannot remove the reason. */
export type AccessBarrier = typeof notInGroup | typeof secondFactorOff;

/** The refusal, as the page shows it. */
export interface RefusedApplication {
  readonly name: string;
  /** The user name. */
  readonly account: string;
  /** The name of the refusal, such as `not-in-group`. */
  readonly reason: string;
}

/** The user who decides, and the caller of the request. */
export interface Deciding {
  readonly signedIn: SignedIn;
  readonly caller: Caller;
}

export interface BarrierOptions {
  /** False if `SECOND_FACTOR` is `off`. */
  readonly hasSecondFactors: boolean;
  readonly audit: AuditOf<typeof events>;
}

export const describeRefused = (
  client: ProviderClient,
  { user }: SignedIn,
  { name }: AccessBarrier,
): RefusedApplication => ({
  name: displayName(client),
  account: user.username,
  reason: name,
});

export type Barriers = ReturnType<typeof createBarriers>;

export const createBarriers = ({ hasSecondFactors, audit }: BarrierOptions) => ({
  find(client: ProviderClient, { user, session }: SignedIn): AccessBarrier | undefined {
    if (!mayUse(client, user)) return notInGroup;
    const lacks = Boolean(client.secondFactor) && !hasSecondFactors && !includesSecondFactor(session.methods);
    return lacks ? secondFactorOff : undefined;
  },

  async note({ signedIn, caller }: Deciding, client: ProviderClient, { name }: AccessBarrier): Promise<void> {
    const { groups } = client;
    const needed = name === notInGroup.name && Array.isArray(groups) ? { groups: groups.map(String) } : {};
    const event = { kind: 'application-refused', reason: name, ...aboutClient(client), ...needed } as const;
    await audit.recordIfPossible({ ...event, ...byOwner(signedIn, caller) });
  },
});
