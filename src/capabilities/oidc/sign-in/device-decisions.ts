import type { RequireStepUp } from '../../../core/access/fresh-proof.ts';
import { Refusal } from '../../../core/access/refusal.ts';
import { stampOf } from '../../../core/users/account.ts';
import { type ShownApplication, showApplication } from '../clients/shown-application.ts';
import type { OpenIdProvider } from '../provider/provider.ts';
import type { Records } from '../records/records.ts';
import { unknownDevice } from '../refusals.ts';
import {
  type AccessBarrier,
  type Barriers,
  type Deciding,
  describeRefused,
  type RefusedApplication,
} from './access-barriers.ts';
import type { GiveConsent } from './give-consent.ts';

export interface DeviceOptions {
  readonly records: Records;
  readonly requireStepUp: RequireStepUp;
}

/** Creates the actions of the page on which a user allows a device. */
export function createDeviceDecisions(
  { records, requireStepUp }: DeviceOptions,
  barriers: Barriers,
  giveConsent: GiveConsent,
) {
  /** @throws {Refusal} `unknown-device`; `not-in-group` or `second-factor-off`, and then the device gets `access_denied` */
  async function showDevice(provider: OpenIdProvider, userCode: string, request: Deciding) {
    const { signedIn, caller } = request;
    const device = await provider.findDevice(readUserCode(userCode), caller);
    if (device === undefined) throw new Refusal(unknownDevice);
    const { client, asked } = device;
    const barrier = barriers.find(client, signedIn);
    if (barrier !== undefined) {
      await barriers.note(request, client, barrier);
      const answer = { error: 'access_denied', errorDescription: barrier.detail };
      const taken = await records.takeDevice(readUserCode(userCode));
      if (taken !== undefined) await records.answerDevice(taken, answer);
      throw new DeviceRefused(barrier, describeRefused(client, signedIn, barrier));
    }
    const shownCode = readUserCode(userCode).replace(/^.{4}/, '$&-');
    return { ...device, shownCode, application: showApplication(client, asked, undefined) };
  }

  return {
    showDevice,

    /** Answers a device with the user's decision. @throws {Refusal} as `showDevice`; `no-second-factor` */
    async decideDevice(
      provider: OpenIdProvider,
      userCode: string,
      isAllowed: boolean,
      request: Deciding,
    ): Promise<ShownApplication> {
      const { signedIn, caller } = request;
      const device = await showDevice(provider, userCode, request);
      if (device.client.secondFactor)
        await requireStepUp(signedIn, { maxAgeSeconds: undefined, secondFactor: true }, { caller });
      const taken = await records.takeDevice(readUserCode(userCode));
      if (taken === undefined) throw new Refusal(unknownDevice);
      if (isAllowed) {
        const account = await giveConsent(device, request);
        const grantId = await provider.giveDevice(device.client, device.asked, signedIn);
        await records.answerDevice(taken, await provider.deviceAnswer(device, signedIn, grantId), stampOf(account));
      } else await records.answerDevice(taken, { error: 'access_denied', errorDescription: 'the user said no' });
      return device.application;
    },
  };
}

/** Thrown if the user may not use the application on the device. */
export class DeviceRefused extends Refusal {
  readonly refused: RefusedApplication;

  constructor(barrier: AccessBarrier, refused: RefusedApplication) {
    super(barrier);
    this.refused = refused;
  }
}

/** Reads a code that a user typed, in any case and with any blanks or hyphens. */
const readUserCode = (typed: string): string => typed.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
