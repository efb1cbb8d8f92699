import type { Caller } from '../audit/event.ts';
import type { SignedIn } from './access.ts';
import type { Answer } from './refusal.ts';

/** The owner of the session must prove their identity again first (RFC 9470). */
export const insufficientUserAuthentication: Answer = {
  name: 'insufficient-user-authentication',
  status: 401,
  error: 'insufficient_user_authentication',
  detail: 'Confirm your password first',
  freshProof: { maxAgeSeconds: 600 },
};

/**
 * For what changes how an account is entered, or ends it: the owner must have proved their identity lately (ASVS 7.5.1). A password
 * that is sent along is the proof itself.
 * @param currentPassword empty counts as none
 * @throws {InvalidFields} `current_password` is wrong
 * @throws {Refusal} `insufficient-user-authentication`, `too-many-confirmations`
 */
export type RequireFresh = (
  signedIn: SignedIn,
  currentPassword: string | undefined,
  request: ConfirmingRequest,
) => Promise<void>;

/** What a proof of identity needs of its request. */
export interface ConfirmingRequest {
  readonly caller: Caller;
  readonly headers: { readonly cookie?: string | undefined };
}
