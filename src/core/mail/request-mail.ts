import { endSiteOf, networkOf } from '../../ground/text/networks.ts';
import type { AuditOf } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Policy } from '../throttle/policy.ts';
import type { Throttle } from '../throttle/throttle.ts';
import type { events } from './events.ts';
import type { NewMail, Outbox } from './outbox.ts';

const minute = 60;
const hour = 60 * minute;

/** At most one mail a minute and five an hour for each address and purpose (ASVS 6.3.1). */
export const perMinute: Policy = { free: 1, firstWaitSeconds: minute, longestWaitSeconds: minute, keepSeconds: minute };
export const perHour: Policy = { free: 5, firstWaitSeconds: hour, longestWaitSeconds: hour, keepSeconds: hour };

/** Whole offices share an address. */
export const perClient: Policy = { ...perHour, free: 20, firstWaitSeconds: minute, forgiveSeconds: 3 * minute };

/** An end site has 65,536 /64s, and a mobile network gives each of its users one. */
export const perEndSite: Policy = { ...perHour, free: 100, firstWaitSeconds: minute / 2, forgiveSeconds: minute / 2 };

type Limit = 'minute' | 'hour' | 'client';

/**
 * Adds a mail that a client may request again and again, unless there were too many. Only an administrator (`causedBy`) gets another
 * answer then. Tells whether it was added.
 * @param mail has a `userId` only if the user has proved their identity. Otherwise it takes turns with other strangers' mails.
 * @param by the limits. Default: all
 */
export type RequestMail = (mail: Omit<NewMail, 'requestId'>, caller: Caller, by?: readonly Limit[]) => Promise<boolean>;

export interface RequestMailOptions {
  readonly outbox: Outbox;
  readonly throttle: Pick<Throttle, 'take'>;
  readonly audit: AuditOf<typeof events>;
}

export function createRequestMail({ outbox, throttle, audit }: RequestMailOptions): RequestMail {
  return async (mail, caller, by = ['minute', 'hour', 'client']) => {
    const { purpose, address, userId, causedBy: cause } = mail;
    // An administrator, or `operator`, who acts on the account of the user.
    const actor = cause && 'userId' in cause ? cause.userId : undefined;
    const nameDigest = audit.digestName(address);
    const network = endSiteOf(caller.address);
    const limits = {
      minute: [{ key: `mail-minute:${purpose}:${nameDigest}`, policy: perMinute }],
      hour: [{ key: `mail-hour:${purpose}:${nameDigest}`, policy: perHour }],
      client:
        userId === undefined
          ? [
              { key: `mail-client:${networkOf(caller.address, 64) ?? 'unknown'}`, policy: perClient },
              { key: `mail-end-site:${network}`, policy: perEndSite },
            ]
          : // Strangers at the same address must not be able to use it up.
            [{ key: `mail-client:user:${actor ?? userId}`, policy: perClient }],
    };
    const admitted = await throttle.take(by.flatMap((limit) => limits[limit]));
    const causedBy = cause ?? (userId === undefined ? { network } : { userId });
    if (admitted) await outbox.add({ ...mail, causedBy, requestId: caller.requestId });
    else {
      const about = userId === undefined ? { nameDigest } : { userId };
      const reason = actor === undefined ? 'too-many' : 'too-many-by-administrator';
      const actorId = actor === 'operator' ? undefined : actor;
      await audit.recordIfPossible({ kind: 'mail-not-sent', reason, caller, actorId, ...about });
    }
    return admitted;
  };
}
