import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { domainToUnicode } from 'node:url';
import { byOwner, notAuthenticated, type SignedIn } from '../access/access.ts';
import { includesSecondFactor } from '../access/factor.ts';
import { insufficientUserAuthentication, noSecondFactor, type RequireStepUp } from '../access/fresh-proof.ts';
import { Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Session } from '../sessions/sessions.ts';
import { mixesScripts } from '../text/scripts.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { User } from '../users/user.ts';
import { loginPath } from '../web/login-page.ts';
import { isNativeAddress } from './addresses.ts';
import { type Asked, requestedOf } from './asked.ts';
import type { Consents } from './consents.ts';
import type { events } from './events.ts';
import type { OpenIdProvider, WaitingRequest } from './provider.ts';
import { isDocument, lasts, mayUse, type ProviderClient } from './provider-client.ts';
import type { Records } from './records.ts';
import { interactionOver, notInGroup, unknownDevice } from './refusals.ts';

export interface InteractionOptions {
  readonly records: Records;
  readonly consents: Consents;
  readonly findAccount: (userId: string) => Promise<Account | undefined>;
  readonly requireStepUp: RequireStepUp;
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

/** A hash of what the user saw of an application. With another one, the user is asked again. */
export const versionOf = ({ clientName, redirectUris = [] }: ProviderClient): string =>
  hash('sha256', JSON.stringify([clientName, [...redirectUris].sort()]), 'base64url');

const unicodeHostOf = (address: unknown): string => domainToUnicode(URL.parse(String(address))?.hostname ?? '');

/** The protocol's error, if the application asks for another user, or for an `acr` that there is not. */
function findUnmet(reasons: readonly string[], { methods }: Session): string | undefined {
  const includes = (...names: readonly string[]) => names.some((name) => reasons.includes(name));
  if (includes('claims_id_token_sub_value')) return 'login_required';
  const isMissing = includes('essential_acr', 'essential_acrs') && includesSecondFactor(methods);
  return isMissing ? 'unmet_authentication_requirements' : undefined;
}

/** What happens on pages before an application gets its answer: fresh proof, consent, the answer to a device. */
export function createInteractions(options: InteractionOptions) {
  const { records, consents, findAccount, requireStepUp, audit } = options;

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

  async function refuseGroup(signedIn: SignedIn, caller: Caller, { clientId }: ProviderClient): Promise<never> {
    const event = { kind: 'application-refused', reason: 'not-in-group', about: clientId } as const;
    await audit.recordIfPossible({ ...event, ...byOwner(signedIn, caller) });
    throw new Refusal(notInGroup);
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
    if (waiting === undefined) throw new Refusal(interactionOver);
    return waiting;
  }

  return {
    /**
     * Goes on with a request that waits. @returns where the browser goes on, or what the user has to decide
     * @throws {Refusal} `interaction-over`, `not-in-group`; `insufficient-user-authentication` or `no-second-factor` if a proof is missing
     */
    async goOn(provider: OpenIdProvider, request: InteractionRequest) {
      const waiting = await open(provider, request);
      const { prompt, client, asked, params, subject, uid } = waiting;
      const { session, user } = request.signedIn;
      if (prompt.name === 'select_account')
        return { application: show(client, asked, params.redirect_uri), account: describeUser(user) };
      if (!mayUse(client, user)) return refuseGroup(request.signedIn, request.caller, client);
      if (prompt.name === 'consent') return { application: show(client, asked, params.redirect_uri) };
      const isProved = session.authenticatedAt >= (await records.startOf(uid));
      const login = await provider.loginOf(request.signedIn);
      const isOther = subject !== undefined && subject !== login.accountId;
      const error = isOther ? 'login_required' : isProved ? undefined : findUnmet(prompt.reasons, session);
      if (error !== undefined) return { to: await provider.finishInteraction(request.req, request.res, { error }) };
      await requireProof(waiting, request, isProved);
      return { to: await provider.finishInteraction(request.req, request.res, { login }) };
    },

    /**
     * The user goes on with the account that is signed in, or wants another one. The session goes on until a login with that one succeeds, and
     * the request then begins anew. @returns where the browser goes on
     */
    async choose(provider: OpenIdProvider, continues: boolean, request: InteractionRequest): Promise<string> {
      const waiting = await open(provider, request);
      if (waiting.prompt.name !== 'select_account') throw new Refusal(interactionOver);
      if (!continues) return loginPath(undefined, provider.restart(waiting));
      return provider.finishInteraction(request.req, request.res, { select_account: {} });
    },

    /** The user lets the application in, or does not. @returns where the browser goes on */
    async decide(provider: OpenIdProvider, isAllowed: boolean, request: InteractionRequest): Promise<string> {
      const waiting = await open(provider, request);
      const { client, asked, prompt } = waiting;
      if (prompt.name !== 'consent') throw new Refusal(interactionOver);
      if (!mayUse(client, request.signedIn.user)) return refuseGroup(request.signedIn, request.caller, client);
      const denied = { error: 'access_denied', error_description: 'the user said no' };
      const result = isAllowed
        ? { consent: { grantId: await letIn(provider, waiting, request, lasts(client, asked.requestParamScopes)) } }
        : denied;
      return provider.finishInteraction(request.req, request.res, result);
    },

    /** @throws {Refusal} `unknown-device`, `not-in-group` */
    async showDevice(provider: OpenIdProvider, userCode: string, signedIn: SignedIn, caller: Caller) {
      const device = await provider.findDevice(readUserCode(userCode));
      if (device === undefined) throw new Refusal(unknownDevice);
      if (!mayUse(device.client, signedIn.user)) return refuseGroup(signedIn, caller, device.client);
      return { ...device, application: show(device.client, device.asked, undefined) };
    },

    /** Answers a device. @throws {Refusal} `unknown-device`, `not-in-group`, `no-second-factor` */
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

/** As typed, in any case and with any blanks or hyphens. */
const readUserCode = (typed: string): string => typed.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');

/** Whether a user let an application have all of this before. */
export async function hasConsent(consents: Consents, user: User, client: ProviderClient, scopes: readonly string[]) {
  const given = await consents.find(user, client.clientId);
  return given?.version === versionOf(client) && scopes.every((scope) => given.scope.includes(scope));
}
