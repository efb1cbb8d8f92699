import { deleteExpiredRows } from '../database/deletions.ts';
import { createEnrolment } from './enrolment.ts';
import { createFactors } from './factors.ts';
import { createManageFactors } from './manage.ts';
import type { FactorOptions } from './options.ts';
import { createLogInByPasskey } from './passkey-log-in.ts';
import { createSecondStep } from './second-step.ts';

export type FactorParts = ReturnType<typeof createFactorParts>;

/** What second factors are made of. */
export function createFactorParts(options: FactorOptions) {
  const { database } = options;
  const factors = createFactors(options);
  const manageFactors = createManageFactors(options, factors);
  const enrolment = createEnrolment(options, factors, manageFactors);
  return {
    factors,
    manageFactors,
    enrolment,
    secondFactor: createSecondStep(options, factors, enrolment),
    logInByPasskey: createLogInByPasskey(options, factors),
    /** Removes at most `limit` expired records of each kind, and returns how many there were of the most frequent one. */
    async removeExpired(time: number, limit: number): Promise<number> {
      await factors.totp.removeExpired(time);
      const logins = await deleteExpiredRows(database, 'janua_pending_logins', 'id', time, limit);
      return Math.max(logins, await deleteExpiredRows(database, 'janua_trusted_browsers', 'id', time, limit));
    },
  };
}
