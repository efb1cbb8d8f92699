import type { Language } from '../../ground/languages/languages.ts';
import type { Caller } from '../audit/event.ts';
import type { Account } from '../users/account.ts';
import type { SignedIn } from './access.ts';
import type { Answer } from './refusal.ts';

/** The answer if the owner of the session must prove their identity again before the request (RFC 9470). */
export const insufficientUserAuthentication: Answer = {
  name: 'insufficient-user-authentication',
  status: 401,
  error: 'insufficient_user_authentication',
  detail: 'Confirm your identity first',
  freshProof: { maxAgeSeconds: 600 },
};

/**
 * Requires that the owner has recently proved their identity (ASVS 7.5.1), before a change of the ways to sign in and before the deletion
 * of the account. A password in the same request is such a proof.
 * @param currentPassword empty is the same as undefined
 * @returns the account for which the proof holds. A change must be refused if the account has changed since then (`provedBy`)
 * @throws {InvalidFields} `current_password` is wrong
 * @throws {Refusal} `insufficient-user-authentication`, `too-many-confirmations`; `not-authenticated` if the account has changed since the
 * request was authenticated
 */
export type RequireFresh = (
  signedIn: SignedIn,
  currentPassword: string | undefined,
  request: ConfirmingRequest,
) => Promise<Account>;

/** Returns the account for which an earlier proof holds, or undefined if `RequireFresh` would require another proof. */
export type FindFresh = (signedIn: SignedIn, request: ConfirmingRequest) => Promise<Account | undefined>;

export const secondFactorWanted: Answer = {
  ...insufficientUserAuthentication,
  detail: 'Prove a second factor first',
  freshProof: { acrValues: 'urn:janua:2fa' },
};

export const noSecondFactor: Answer = {
  name: 'no-second-factor',
  status: 403,
  error: 'second_factor_missing',
  detail: 'This needs a second factor. Add one at /account/security',
  page: { path: '/account/security?state=7', next: 'asked-for' },
};

export interface RequiredProof {
  readonly maxAgeSeconds: number | undefined;
  readonly secondFactor: boolean;
}

/** @throws {Refusal} `insufficient-user-authentication`; `no-second-factor` if the account has none */
export type RequireStepUp = (
  signedIn: SignedIn,
  required: RequiredProof,
  request: { readonly caller: Caller },
) => Promise<void>;

export interface ConfirmingRequest {
  readonly caller: Caller;
  readonly language?: Language | undefined;
  readonly headers: { readonly cookie?: string | undefined };
}
