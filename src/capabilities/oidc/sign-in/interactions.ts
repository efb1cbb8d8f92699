import type { IncomingMessage, ServerResponse } from 'node:http';
import { includesSecondFactor } from '../../../core/access/factor.ts';
import { insufficientUserAuthentication, noSecondFactor } from '../../../core/access/fresh-proof.ts';
import { Refusal } from '../../../core/access/refusal.ts';
import type { Session } from '../../../core/sessions/sessions.ts';
import type { User } from '../../../core/users/user.ts';
import { type ShownApplication, showApplication, shownVersionOf } from '../clients/shown-application.ts';
import { isNativeAddress, isRegistered } from '../clients/uri-rules.ts';
import type { WaitingRequest } from '../provider/pending-requests.ts';
import type { OpenIdProvider } from '../provider/provider.ts';
import { interactionOver } from '../refusals.ts';
import {
  type AccessBarrier,
  type BarrierOptions,
  createBarriers,
  type Deciding,
  describeRefused,
  type RefusedApplication,
} from './access-barriers.ts';
import { createDeviceDecisions, type DeviceOptions } from './device-decisions.ts';
import { createGiveConsent, type GiveConsentOptions } from './give-consent.ts';

export type InteractionOptions = BarrierOptions & GiveConsentOptions & DeviceOptions;

/** A request with Node's request and response, because the library reads and writes cookies itself. */
export interface InteractionRequest extends Deciding {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** The next step of a request: a redirect, or a page. */
export interface Step {
  readonly to?: string;
  readonly application?: ShownApplication;
  /** The version of the application that the page shows. The answer repeats it. */
  readonly shown?: string;
  /** The account that the user may continue with. */
  readonly account?: { readonly username: string; readonly name: string };
  readonly refused?: RefusedApplication;
}

/** Creates the steps on pages before an application gets its response: fresh proof, consent, and the decision about a device. */
export function createInteractions(options: InteractionOptions) {
  const { records, requireStepUp, hasSecondFactors } = options;
  const barriers = createBarriers(options);
  const giveConsent = createGiveConsent(options);

  /**
   * Refuses a user who may not use the application. A program on the user's machine waits for the response, and gets it at once. A website
   * gets it when its user goes back.
   */
  async function refuse(
    provider: OpenIdProvider,
    waiting: WaitingRequest,
    request: InteractionRequest,
    barrier: AccessBarrier,
  ): Promise<Step> {
    const { client, params } = waiting;
    const { req, res, signedIn } = request;
    await barriers.note(request, client, barrier);
    if (isNativeAddress(String(params.redirect_uri)))
      return { to: await provider.finishInteraction(req, res, denied(barrier.detail)) };
    return { refused: describeRefused(client, signedIn, barrier) };
  }

  /** Returns the protocol's error if the application asks for another user, or for an `acr` that Janua cannot offer. */
  function findUnmet(reasons: readonly string[], { methods }: Session): string | undefined {
    const includes = (...names: readonly string[]) => names.some((name) => reasons.includes(name));
    if (includes('claims_id_token_sub_value')) return 'login_required';
    const isMissing =
      includes('essential_acr', 'essential_acrs') && (includesSecondFactor(methods) || !hasSecondFactors);
    return isMissing ? 'unmet_authentication_requirements' : undefined;
  }

  /**
   * Requires the proofs that the prompt asks for. @param isProved whether the user proved their identity after the request came
   * @throws {Refusal} if a proof is missing
   */
  async function requireProof(
    provider: OpenIdProvider,
    { prompt, client, params }: WaitingRequest,
    { signedIn, caller }: InteractionRequest,
    isProved: boolean,
  ) {
    const wants = (...reasons: readonly string[]) => reasons.some((reason) => prompt.reasons.includes(reason));
    if (wants('login_prompt', 'max_age') && !isProved) throw new Refusal(insufficientUserAuthentication);
    const isStrong = includesSecondFactor(signedIn.session.methods);
    if (!wants('second_factor', 'essential_acr', 'essential_acrs') || isStrong) return;
    try {
      await requireStepUp(signedIn, { maxAgeSeconds: undefined, secondFactor: true }, { caller });
    } catch (error) {
      const isMissing = error instanceof Refusal && error.answer === noSecondFactor;
      // If an application only asks for a second factor, the user may continue without one, and the claim `acr` says so (OpenID Connect
      // Core 3.1.2.1).
      if (!isMissing) throw error;
      if (!client.secondFactor && !wants('essential_acr', 'essential_acrs')) return;
      // After adding a factor, the user returns to the request itself, because its address names the application.
      throw new Refusal(noSecondFactor, undefined, undefined, provider.returnAddress(params));
    }
  }

  /** Claims a request: of several answers to it, one counts. @throws {Refusal} `interaction-over` */
  async function take({ uid }: WaitingRequest): Promise<void> {
    if (!(await records.takeInteraction(uid))) throw over();
  }

  return {
    /**
     * Continues a request that waits for its user. @returns a redirect, the page on which the user decides, or the page with the refusal
     * @throws {Refusal} `interaction-over`; `insufficient-user-authentication` or `no-second-factor` if a proof is missing
     */
    async goOn(provider: OpenIdProvider, request: InteractionRequest): Promise<Step> {
      const waiting = await open(provider, request);
      const { prompt, client, asked, params, subject, uid } = waiting;
      const { session, user } = request.signedIn;
      if (prompt.name === 'select_account')
        return { application: showApplication(client, asked, params.redirect_uri), account: describeUser(user) };
      const barrier = barriers.find(client, request.signedIn);
      if (barrier !== undefined) return refuse(provider, waiting, request, barrier);
      if (prompt.name === 'consent') return showConsent(waiting);
      const isProved = session.authenticatedAt >= (await records.startOf(uid));
      const login = await provider.loginOf(request.signedIn);
      const isOther = subject !== undefined && subject !== login.accountId;
      const error = isOther ? 'login_required' : isProved ? undefined : findUnmet(prompt.reasons, session);
      if (error !== undefined) return { to: await provider.finishInteraction(request.req, request.res, { error }) };
      await requireProof(provider, waiting, request, isProved);
      return { to: await provider.finishInteraction(request.req, request.res, { login }) };
    },

    /** Continues with the account that is signed in. @returns the address of the redirect @throws {Refusal} `interaction-over` */
    async keepAccount(provider: OpenIdProvider, request: InteractionRequest): Promise<string> {
      const { prompt } = await open(provider, request);
      if (prompt.name !== 'select_account') throw new Refusal(interactionOver);
      return provider.finishInteraction(request.req, request.res, { select_account: {} });
    },

    /**
     * Stores whether the user allows the application.
     * @param shown version of the application on the page that the user answers. If it has changed since, the user is asked again
     * @returns the address of the redirect @throws {Refusal} `interaction-over`
     */
    async decide(
      provider: OpenIdProvider,
      { isAllowed, shown }: { readonly isAllowed: boolean; readonly shown: unknown },
      request: InteractionRequest,
    ): Promise<string> {
      const waiting = await open(provider, request);
      const { client, prompt } = waiting;
      const { req, res, signedIn } = request;
      const barrier = barriers.find(client, signedIn);
      if (!isAllowed) {
        await take(waiting);
        return provider.finishInteraction(req, res, {
          ...denied(barrier?.detail ?? 'the user said no'),
          isDecided: true,
        });
      }
      if (barrier !== undefined) {
        const refused = await refuse(provider, waiting, request, barrier);
        return refused.to ?? interactionPath(waiting);
      }
      if (prompt.name !== 'consent') throw new Refusal(interactionOver);
      if (showConsent(waiting).shown !== shown) return interactionPath(waiting);
      await take(waiting);
      await giveConsent(waiting, request);
      return provider.finishInteraction(req, res, { consent: {} });
    },

    /**
     * Lets the user log in with another account. The session stays until that login succeeds.
     * @returns the address that the login leads to @throws {Refusal} `interaction-over`
     */
    async beginAnew(provider: OpenIdProvider, request: InteractionRequest): Promise<string> {
      // The hints name the account that the user does not want.
      const { login_hint: _, id_token_hint: __, ...params } = (await open(provider, request)).params;
      return provider.returnAddress(params);
    },

    ...createDeviceDecisions(options, barriers, giveConsent),
  };
}

const over = () => new Refusal({ ...interactionOver, event: { kind: 'application-refused', reason: 'sign-in-over' } });

/** @throws {Refusal} `interaction-over` */
async function open(
  provider: OpenIdProvider,
  { req, res, signedIn, caller }: InteractionRequest,
): Promise<WaitingRequest> {
  const waiting = await provider.findInteraction(req, res, caller);
  // Another host of the same site can plant the cookie of another session's request, because the cookie cannot have the prefix `__Host-`.
  if (waiting === undefined || waiting.sessionId !== signedIn.session.id) throw over();
  // The client may have lost the redirect address since the request began, and the library does not compare it again.
  if (!isRegistered(String(waiting.params.redirect_uri), waiting.client.redirectUris ?? []))
    throw new Refusal(interactionOver);
  return waiting;
}

function showConsent({ client, asked, params }: WaitingRequest) {
  const application = showApplication(client, asked, params.redirect_uri);
  return { application, shown: shownVersionOf(client, application) };
}

const denied = (description: string) => ({ error: 'access_denied', error_description: description });

const describeUser = ({ username, firstName, lastName }: User) => ({
  username,
  name: `${firstName} ${lastName}`.trim() || username,
});

const interactionPath = ({ uid }: WaitingRequest): string => `/oidc/interaction/${uid}`;
