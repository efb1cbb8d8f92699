import { createEnrolment } from './enrolment.ts';
import { createFactors } from './factors.ts';
import { createManageFactors } from './manage.ts';
import type { FactorOptions } from './options.ts';
import { createLogInByPasskey } from './passkey-log-in.ts';
import { createPasskeyOffers } from './passkey-offers.ts';
import { createSecondStep } from './second-step.ts';

export type FactorParts = ReturnType<typeof createFactorParts>;

export function createFactorParts(options: FactorOptions) {
  const factors = createFactors(options);
  const manageFactors = createManageFactors(options, factors);
  const enrolment = createEnrolment(options, factors, manageFactors);
  return {
    factors,
    manageFactors,
    enrolment,
    passkeyOffers: createPasskeyOffers(options),
    secondFactor: createSecondStep(options, factors, enrolment),
    logInByPasskey: createLogInByPasskey(options, factors),
  };
}
