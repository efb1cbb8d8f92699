import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { domainToUnicode } from 'node:url';
import { byOwner, notAuthenticated, type SignedIn } from '../../core/access/access.ts';
import { includesSecondFactor } from '../../core/access/factor.ts';
import { insufficientUserAuthentication, noSecondFactor, type RequireStepUp } from '../../core/access/fresh-proof.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Audit } from '../../core/audit/audit.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Session } from '../../core/sessions/sessions.ts';
import { type Account, stampOf } from '../../core/users/account.ts';
import type { User } from '../../core/users/user.ts';
import { mixesScripts } from '../../ground/text/scripts.ts';
import { isNativeAddress } from './addresses.ts';
import { type Asked, requestedOf } from './asked.ts';
import type { Consents } from './consents.ts';
import type { events } from './events.ts';
import type { OpenIdProvider } from './provider.ts';
import { calledName, isDocument, lasts, mayUse, type ProviderClient } from './provider-client.ts';
import type { WaitingRequest } from './provider-waiting.ts';
import type { Records } from './records.ts';
import { interactionOver, notInGroup, secondFactorOff, unknownDevice } from './refusals.ts';

export interface InteractionOptions {
  readonly records: Records;
  readonly consents: Consents;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly requireStepUp: RequireStepUp;
  /** Whether users can have a second factor at all. */
  readonly hasSecondFactors: boolean;
  readonly audit: Audit<keyof typeof events>;
}

/** A request with its raw parts, because the library reads and writes cookies itself. */
export interface InteractionRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly signedIn: SignedIn;
  readonly caller: Caller;
}

/** What the user sees of an application before letting it in. */
export interface ShownApplication {
  /** As the operator, or the application itself in its document, has written it. */
  readonly name: string;
  /** The host of the document by which it introduces itself, in ASCII. Undefined if the operator added it. */
  readonly documentHost: string | undefined;
  /** Whether its name, or one of its hosts, mixes letters of several scripts. */
  readonly isMixed: boolean;
  /** Where the answer goes. Undefined for a device. */
  readonly host: string | undefined;
  /** Whether any program of the user's machine could pretend to be it. */
  readonly isNative: boolean;
  readonly scopes: readonly string[];
  /** Other servers that it may use for the user, and for what. */
  readonly resources: readonly { readonly address: string; readonly scopes: readonly string[] }[];
  /** Whether it keeps what it gets when the session ends. */
  readonly lasts: boolean;
}

/** Why a user cannot use an application, whatever they do. */
type Barrier = typeof notInGroup | typeof secondFactorOff;

/** What the page says of it. */
export interface RefusedApplication {
  readonly name: string;
  /** The user name. */
  readonly account: string;
  /** The name of the answer. */
  readonly reason: string;
}

/** How a request goes on: somewhere else, or on a page. */
export interface Step {
  readonly to?: string;
  readonly application?: ShownApplication;
  /** Which account the user may go on with. */
  readonly account?: { readonly username: string; readonly name: string };
  readonly refused?: RefusedApplication;
}

/** A hash of what the user saw of an application. With another one, the user is asked again. */
export const versionOf = ({ clientName, redirectUris = [] }: ProviderClient): string =>
  hash('sha256', JSON.stringify([clientName, [...redirectUris].sort()]), 'base64url');

const unicodeHostOf = (address: unknown): string => domainToUnicode(URL.parse(String(address))?.hostname ?? '');

/** What happens on pages before an application gets its answer: fresh proof, consent, the answer to a device. */
export function createInteractions(options: InteractionOptions) {
  const { records, consents, findAccount, requireStepUp, hasSecondFactors, audit } = options;

  const show = (client: ProviderClient, asked: Asked, address: unknown): ShownApplication => ({
    name: client.clientName ?? new URL(client.clientId).host,
    documentHost: isDocument(client.clientId) ? new URL(client.clientId).host : undefined,
    isMixed: mixesScripts([client.clientName, unicodeHostOf(client.clientId), unicodeHostOf(address)].join(' ')),
    host: typeof address === 'string' ? new URL(address).host || new URL(address).protocol : undefined,
    isNative: typeof address === 'string' && isNativeAddress(address),
    scopes: requestedOf({ ...asked, resourceServers: {} }),
    resources: Object.entries(asked.resourceServers ?? {}).map(([address, { scopes }]) => ({
      address: address.replace(/^https?:\/\//, ''),
      scopes: [...asked.requestParamScopes].filter((scope) => scopes.has(scope)),
    })),
    lasts: address === undefined || lasts(client, asked.requestParamScopes),
  });

  /** The account as it is now: what lasts must not outlive a change that was made since the request was let in. */
  async function requireAccount({ user, session }: SignedIn): Promise<Account> {
    const account = await findAccount(user.id);
    if (account === undefined || stampOf(account) !== session.stamp) throw new Refusal(notAuthenticated);
    return account;
  }

  function findBarrier(client: ProviderClient, { user, session }: SignedIn): Barrier | undefined {
    if (!mayUse(client, user)) return notInGroup;
    const lacks = Boolean(client.secondFactor) && !hasSecondFactors && !includesSecondFactor(session.methods);
    return lacks ? secondFactorOff : undefined;
  }

  async function noteBarrier(
    signedIn: SignedIn,
    caller: Caller,
    { clientId, groups }: ProviderClient,
    { name }: Barrier,
  ) {
    const event = { kind: 'application-refused', reason: name, about: clientId, ...byOwner(signedIn, caller) } as const;
    const needed = name === notInGroup.name && Array.isArray(groups) ? { groups: groups.map(String) } : {};
    await audit.recordIfPossible({ ...event, ...needed });
  }

  const denied = (description: string) => ({ error: 'access_denied', error_description: description });

  /** A program on the user's machine waits for the answer, and gets it at once. A website gets it when its user goes back. */
  async function refuse(
    provider: OpenIdProvider,
    waiting: WaitingRequest,
    request: InteractionRequest,
    barrier: Barrier,
  ): Promise<Step> {
    const { client, params } = waiting;
    const { req, res, signedIn, caller } = request;
    await noteBarrier(signedIn, caller, client, barrier);
    if (isNativeAddress(String(params.redirect_uri)))
      return { to: await provider.finishInteraction(req, res, denied(barrier.detail)) };
    return { refused: { name: calledName(client), account: signedIn.user.username, reason: barrier.name } };
  }

  /** The protocol's error, if the application asks for another user, or for an `acr` that there is not. */
  function findUnmet(reasons: readonly string[], { methods }: Session): string | undefined {
    const includes = (...names: readonly string[]) => names.some((name) => reasons.includes(name));
    if (includes('claims_id_token_sub_value')) return 'login_required';
    const isMissing =
      includes('essential_acr', 'essential_acrs') && (includesSecondFactor(methods) || !hasSecondFactors);
    return isMissing ? 'unmet_authentication_requirements' : undefined;
  }

  async function letIn(
    provider: OpenIdProvider,
    { client, asked }: Pick<WaitingRequest, 'client' | 'asked'>,
    { signedIn, caller }: Pick<InteractionRequest, 'signedIn' | 'caller'>,
    lasting: boolean,
  ): Promise<string> {
    const account = await requireAccount(signedIn);
    const grantId = await provider.grant(client, asked, signedIn, lasting ? account : undefined);
    const version = versionOf(client);
    const before = await consents.find(signedIn.user, client.clientId);
    const kept = before?.version === version ? before.scope : [];
    const scope = [...new Set([...kept, ...requestedOf(asked)])];
    await consents.give(signedIn.user, client.clientId, { scope, version });
    await audit.recordIfPossible({ kind: 'consent-given', about: client.clientId, ...byOwner(signedIn, caller) });
    return grantId;
  }

  /** @param isProved whether the user proved their identity after the request came. @throws {Refusal} so that they do */
  async function requireProof(waiting: WaitingRequest, { signedIn, caller }: InteractionRequest, isProved: boolean) {
    const { prompt, client } = waiting;
    const wants = (...reasons: readonly string[]) => reasons.some((reason) => prompt.reasons.includes(reason));
    if (wants('login_prompt', 'max_age') && !isProved) throw new Refusal(insufficientUserAuthentication);
    const isStrong = includesSecondFactor(signedIn.session.methods);
    if (!wants('second_factor', 'essential_acr', 'essential_acrs') || isStrong) return;
    try {
      await requireStepUp(signedIn, { maxAgeSeconds: undefined, secondFactor: true }, { caller });
    } catch (error) {
      const isMissing = error instanceof Refusal && error.answer === noSecondFactor;
      // An application that only asks for a second factor gets to know that the user has none (OpenID Connect Core 3.1.2.1).
      if (!isMissing || client.secondFactor || wants('essential_acr', 'essential_acrs')) throw error;
    }
  }

  async function open(provider: OpenIdProvider, { req, res }: InteractionRequest): Promise<WaitingRequest> {
    const waiting = await provider.findInteraction(req, res);
    if (waiting === undefined)
      throw new Refusal({ ...interactionOver, event: { kind: 'application-refused', reason: 'sign-in-over' } });
    return waiting;
  }

  return {
    /**
     * Goes on with a request that waits. @returns where the browser goes on, what the user has to decide, or what they cannot use
     * @throws {Refusal} `interaction-over`; `insufficient-user-authentication` or `no-second-factor` if a proof is missing
     */
    async goOn(provider: OpenIdProvider, request: InteractionRequest): Promise<Step> {
      const waiting = await open(provider, request);
      const { prompt, client, asked, params, subject, uid } = waiting;
      const { session, user } = request.signedIn;
      if (prompt.name === 'select_account')
        return { application: show(client, asked, params.redirect_uri), account: describeUser(user) };
      const barrier = findBarrier(client, request.signedIn);
      if (barrier !== undefined) return refuse(provider, waiting, request, barrier);
      if (prompt.name === 'consent') return { application: show(client, asked, params.redirect_uri) };
      const isProved = session.authenticatedAt >= (await records.startOf(uid));
      const login = await provider.loginOf(request.signedIn);
      const isOther = subject !== undefined && subject !== login.accountId;
      const error = isOther ? 'login_required' : isProved ? undefined : findUnmet(prompt.reasons, session);
      if (error !== undefined) return { to: await provider.finishInteraction(request.req, request.res, { error }) };
      await requireProof(waiting, request, isProved);
      return { to: await provider.finishInteraction(request.req, request.res, { login }) };
    },

    /** The user goes on with the account that is signed in. @returns where the browser goes on @throws {Refusal} `interaction-over` */
    async keepAccount(provider: OpenIdProvider, request: InteractionRequest): Promise<string> {
      const { prompt } = await open(provider, request);
      if (prompt.name !== 'select_account') throw new Refusal(interactionOver);
      return provider.finishInteraction(request.req, request.res, { select_account: {} });
    },

    /** The user lets the application in, or does not. @returns where the browser goes on @throws {Refusal} `interaction-over` */
    async decide(provider: OpenIdProvider, isAllowed: boolean, request: InteractionRequest): Promise<string> {
      const waiting = await open(provider, request);
      const { client, asked, prompt } = waiting;
      const { req, res, signedIn } = request;
      const barrier = findBarrier(client, signedIn);
      if (!isAllowed) return provider.finishInteraction(req, res, denied(barrier?.detail ?? 'the user said no'));
      if (barrier !== undefined) {
        const refused = await refuse(provider, waiting, request, barrier);
        return refused.to ?? interactionPath(waiting);
      }
      if (prompt.name !== 'consent') throw new Refusal(interactionOver);
      const grantId = await letIn(provider, waiting, request, lasts(client, asked.requestParamScopes));
      return provider.finishInteraction(req, res, { consent: { grantId } });
    },

    /** @returns where another login leads. Until it succeeds, the session goes on. @throws {Refusal} `interaction-over` */
    async beginAnew(provider: OpenIdProvider, request: InteractionRequest): Promise<string> {
      // Hints are about the account that the user does not want.
      const { login_hint: _, id_token_hint: __, ...params } = (await open(provider, request)).params;
      return provider.returnAddress(params);
    },

    /** @throws {Refusal} `unknown-device`; `not-in-group` or `second-factor-off`, and the device gets to know at once */
    async showDevice(provider: OpenIdProvider, userCode: string, signedIn: SignedIn, caller: Caller) {
      const device = await provider.findDevice(readUserCode(userCode));
      if (device === undefined) throw new Refusal(unknownDevice);
      const { client, asked } = device;
      const barrier = findBarrier(client, signedIn);
      if (barrier !== undefined) {
        await noteBarrier(signedIn, caller, client, barrier);
        const answer = { error: 'access_denied', errorDescription: barrier.detail };
        await records.answerDevice(readUserCode(userCode), answer);
        throw new DeviceRefused(barrier, {
          name: calledName(client),
          account: signedIn.user.username,
          reason: barrier.name,
        });
      }
      return { ...device, application: show(client, asked, undefined) };
    },

    /** Answers a device. @throws {Refusal} as `showDevice`; `no-second-factor` */
    async decideDevice(
      provider: OpenIdProvider,
      userCode: string,
      isAllowed: boolean,
      request: Pick<InteractionRequest, 'signedIn' | 'caller'>,
    ): Promise<ShownApplication> {
      const { signedIn, caller } = request;
      const device = await this.showDevice(provider, userCode, signedIn, caller);
      if (device.client.secondFactor)
        await requireStepUp(signedIn, { maxAgeSeconds: undefined, secondFactor: true }, { caller });
      const answer = isAllowed
        ? await provider.deviceAnswer(device, signedIn, await letIn(provider, device, request, true))
        : { error: 'access_denied', errorDescription: 'the user said no' };
      if (!(await records.answerDevice(readUserCode(userCode), answer))) throw new Refusal(unknownDevice);
      return device.application;
    },
  };
}

const describeUser = ({ username, firstName, lastName }: User) => ({
  username,
  name: `${firstName} ${lastName}`.trim() || username,
});

const interactionPath = ({ uid }: WaitingRequest): string => `/oidc/interaction/${uid}`;

/** A device whose user may not use it. */
export class DeviceRefused extends Refusal {
  readonly refused: RefusedApplication;

  constructor(barrier: Barrier, refused: RefusedApplication) {
    super(barrier);
    this.refused = refused;
  }
}

/** As typed, in any case and with any blanks or hyphens. */
const readUserCode = (typed: string): string => typed.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');

/** Whether a user let an application have all of this before. */
export async function hasConsent(consents: Consents, user: User, client: ProviderClient, scopes: readonly string[]) {
  const given = await consents.find(user, client.clientId);
  return given?.version === versionOf(client) && scopes.every((scope) => given.scope.includes(scope));
}
