import { createCheckFactor } from './check-factor.ts';
import { createEnrolment } from './enrolment.ts';
import { createFactors } from './factors.ts';
import { createManageFactors } from './manage.ts';
import type { FactorOptions } from './options.ts';
import { createLogInByPasskey } from './passkey-log-in.ts';
import { createSecondStep } from './second-step.ts';

/** What second factors are made of. */
export function createFactorParts(options: FactorOptions) {
  const { passkeys } = options;
  const factors = createFactors(options);
  const { pendingLogins, trustedBrowsers, ownerOf } = factors;
  const checkFactor = createCheckFactor(options, factors);
  const manageFactors = createManageFactors(options, factors);
  const enrolment = createEnrolment(options, factors, manageFactors);
  return {
    ...{ passkeys, factors, checkFactor, manageFactors, enrolment },
    secondFactor: createSecondStep(options, factors, checkFactor, enrolment),
    logInByPasskey: passkeys && createLogInByPasskey(options, passkeys, ownerOf),
    /** Removes at most `limit` expired records, and returns how many there were. */
    removeExpired: async (time: number, limit: number): Promise<number> =>
      Math.max(await pendingLogins.removeExpired(time, limit), await trustedBrowsers.removeExpired(time, limit)),
  };
}
