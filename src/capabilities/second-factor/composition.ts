import { createEnrolment } from './enrolment.ts';
import type { FactorCore } from './events.ts';
import { createFactors } from './factors.ts';
import { createManageFactors } from './manage.ts';
import { createLogInByPasskey } from './passkey-log-in.ts';
import { createPasskeyOffers } from './passkey-offers.ts';
import { createSecondStep } from './second-step.ts';

export type FactorParts = ReturnType<typeof composeFactors>;

export function composeFactors(core: FactorCore) {
  const factors = createFactors(core);
  const manageFactors = createManageFactors(core, factors);
  const enrolment = createEnrolment(core, factors, manageFactors);
  return {
    factors,
    manageFactors,
    enrolment,
    passkeyOffers: createPasskeyOffers(core),
    secondFactor: createSecondStep(core, factors, enrolment),
    logInByPasskey: createLogInByPasskey(core, factors),
  };
}
