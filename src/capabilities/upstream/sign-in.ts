import { randomBytes } from 'node:crypto';
import type { Admitted, LoginRequest } from '../../core/access/admit.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { type Account, passwordFingerprint } from '../../core/users/account.ts';
import { AccountChanged, provedBy } from '../../core/users/held.ts';
import { maxNameLength } from '../../core/users/user.ts';
import { canonicalDomain } from '../../ground/text/mail-address.ts';
import { createCookie, loggedOutCookie } from '../../web/cookies.ts';
import type { events } from './events.ts';
import type { UpstreamOptions } from './options.ts';
import { createProvider, type Provider, UpstreamFault } from './provider.ts';
import {
  noSuchUpstream,
  notConfirmed,
  notLinked,
  signInOver,
  upstreamRefused,
  upstreamUnreachable,
} from './refusals.ts';
import { createSealed, flowSeconds } from './sealed.ts';
import { type Profile, provesAnew } from './upstream.ts';

type Reason = keyof (typeof events)['upstream-refused']['reasons'];

/** A sign-in that has begun. The browser keeps it, sealed, until the provider sends it back. */
export interface Flow {
  readonly upstream: string;
  readonly state: string;
  /** The id of the session whose user wants to link an account, or to confirm that it is them. Without it, the user logs in. */
  readonly sessionId?: string | undefined;
  readonly remembered?: boolean | undefined;
  readonly confirms?: boolean | undefined;
  /** Where a login or a confirmation leads. */
  readonly next?: string | undefined;
}

/** What of its request a sign-in needs. */
export interface SignInRequest extends LoginRequest {
  readonly caller: Caller;
}

/** RFC 8176 has no value for another provider. */
export const methodsOf = ({ isSecondFactor }: Profile) =>
  isSecondFactor ? (['fed', 'mfa'] as const) : (['fed'] as const);

export type SignIn = ReturnType<typeof createSignIn>;

/** Leads a browser to another provider, and takes it back. */
export function createSignIn(options: UpstreamOptions) {
  const { upstreams, identities, users, registry, holdNew, change, audit, tokens, admit, knownBrowsers, now } = options;
  const providers = new Map(upstreams.map((upstream) => [upstream.id, createProvider(upstream, options)]));
  const sealed = createSealed(options.key, now);
  const domains = options.signUpDomains.map(canonicalDomain);
  const cookie = createCookie('upstream', options.https, flowSeconds);
  const loggedOut = loggedOutCookie(options.https);

  const redirectUri = (id: string) => `${options.baseUrl()}/auth/upstream/${id}/callback`;

  /** Only this server knows nonce and verifier. The state alone is in an address. */
  const checksOf = (state: string, since?: number) => ({
    state,
    since,
    nonce: sealed.derive('nonce', state),
    verifier: sealed.derive('verifier', state),
  });

  async function refuse(reason: Reason, caller: Caller, answer = upstreamRefused, userId?: string): Promise<never> {
    await audit.recordIfPossible({ kind: 'upstream-refused', reason, caller, userId });
    throw new Refusal(answer);
  }

  /** @throws {Refusal} `no-such-upstream` */
  function requireProvider(id: string): Provider {
    const provider = providers.get(id);
    if (provider === undefined) throw new Refusal(noSuchUpstream);
    return provider;
  }

  /** Gives what `work` gives. @throws {Refusal} `upstream-unreachable`, or `refused` */
  async function ask<Result>(caller: Caller, work: Promise<Result>, refused = upstreamRefused): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof UpstreamFault)) throw error;
      return refuse(error.reason, caller, error.reason === 'unreachable' ? upstreamUnreachable : refused);
    }
  }

  /** Undefined if the user is gone, or a newcomer under the id. */
  async function accountOf(userId: string): Promise<Account | undefined> {
    const account = await users.findById(userId);
    return account?.user.isNewcomer ? undefined : account;
  }

  /** The account that an identity is linked with. Undefined if there is none, or no longer. */
  async function findAccount(identity: Pick<Profile, 'issuer' | 'subject'>): Promise<Account | undefined> {
    const userId = await identities.findUserId(identity);
    return userId === undefined ? undefined : accountOf(userId);
  }

  /** Creates an account without a password. Of several first logins at the same time, one does. */
  async function signUp(upstream: string, profile: Profile, { caller }: SignInRequest): Promise<Account> {
    const { trustedAddress: username, firstName, lastName } = profile;
    const refuseNew = (reason: Reason) => refuse(reason, caller, notLinked);
    if (holdNew === undefined || !options.signUp) return refuseNew('not-linked');
    if (username === undefined) return refuseNew('untrusted-address');
    if (domains.length > 0 && !domains.includes(username.slice(username.indexOf('@') + 1)))
      return refuseNew('other-domain');
    const [local = ''] = username.split('@');
    const user = {
      username,
      firstName: firstName || local.slice(0, maxNameLength),
      lastName,
      passwordHash: '',
      demo: false,
      addressProof: 'upstream',
      verification: { how: 'upstream', by: upstream },
    } as const;
    const isLinked = new Error('the identity is linked already');
    const id = await holdNew(user, async (held) => {
      if (!(await identities.add({ ...profile, upstream }, held))) throw isLinked;
      return held.user.id;
    }).catch((error: unknown) => {
      if (error !== isLinked) throw error;
      return undefined;
    });
    if (id === undefined) return (await findAccount(profile)) ?? refuseNew('taken-address');
    await audit.recordIfPossible({
      kind: 'identity-linked',
      reason: 'new-account',
      caller,
      userId: id,
      about: upstream,
    });
    return (await findAccount(profile)) ?? refuseNew('void-identity');
  }

  /** What fails because the account has changed meanwhile fails at `admit` too. */
  async function verifyAddress(account: Account, upstream: string, { trustedAddress }: Profile, caller: Caller) {
    if (registry === undefined || account.isAddressVerified || trustedAddress !== account.user.username) return;
    const event = { kind: 'address-verified-upstream', about: upstream } as const;
    await change(event, provedBy(account), { caller }, (held) =>
      registry.verifyAddress(held, trustedAddress, { how: 'upstream', by: upstream }),
    ).catch((error: unknown) => {
      if (!(error instanceof AccountChanged)) throw error;
    });
  }

  async function findOrSignUp(upstream: string, profile: Profile, request: SignInRequest): Promise<Account> {
    const userId = await identities.findUserId(profile);
    if (userId === undefined) return signUp(upstream, profile, request);
    return (await accountOf(userId)) ?? refuse('void-identity', request.caller, notLinked);
  }

  return {
    sealed,
    cookie,
    loggedOut,
    refuse,
    findAccount,

    /** The providers in the order of the settings, each with the address to register there. */
    list: () => Array.from(providers.values(), (provider) => ({ provider, redirectUri: redirectUri(provider.id) })),

    /**
     * Begins a sign-in. Gives the address that the browser opens, and the cookie that it brings back.
     * @throws {Refusal} `no-such-upstream`, `upstream-unreachable`
     */
    async begin(
      { upstream, ...flow }: Omit<Flow, 'state'>,
      { headers, caller }: Pick<SignInRequest, 'headers' | 'caller'>,
    ) {
      const provider = requireProvider(upstream);
      if (flow.confirms && !provesAnew(provider)) throw new Refusal(noSuchUpstream);
      const state = randomBytes(32).toString('base64url');
      const checks = checksOf(state, flow.confirms ? now() : undefined);
      const choosesAccount = flow.sessionId === undefined && loggedOut.amount(headers.cookie) !== 'none';
      const url = await ask(caller, provider.authorizationUrl(redirectUri(upstream), checks, choosesAccount));
      return { url, name: provider.name, cookie: cookie.header(sealed.seal('flow', { ...flow, upstream, state })) };
    },

    /**
     * Takes a browser back, once, and asks the provider who the user is.
     * @param query of the address, as sent
     * @throws {Refusal} `no-such-upstream`, `sign-in-over`, `upstream-refused`, `not-confirmed`, `upstream-unreachable`
     */
    async takeBack(upstream: string, query: string, { headers, caller }: Pick<SignInRequest, 'headers' | 'caller'>) {
      const provider = requireProvider(upstream);
      const flow = sealed.open<Flow>('flow', cookie.read(headers.cookie) ?? '');
      const [state, ...more] = new URLSearchParams(query).getAll('state');
      const isOurs = flow?.upstream === upstream && flow.state === state && more.length === 0;
      if (!isOurs || !(await tokens.burn('upstream', flow.state, flow.expiresAt)))
        return refuse('over', caller, signInOver);
      const address = new URL(`${redirectUri(upstream)}?${query}`);
      const checks = checksOf(flow.state, flow.confirms ? flow.expiresAt - flowSeconds * 1000 : undefined);
      const refused = flow.confirms ? notConfirmed(flow.next) : upstreamRefused;
      return { flow, provider, profile: await ask(caller, provider.findProfile(address, checks), refused) };
    },

    /**
     * Signs the user of an identity in. A new one gets an account, if the settings allow it.
     * @throws {Refusal} `not-linked`, `upstream-refused`, `mfa-required`
     */
    async logIn({ upstream, remembered = false }: Flow, profile: Profile, request: SignInRequest): Promise<Admitted> {
      const { caller, headers } = request;
      const account = await findOrSignUp(upstream, profile, request);
      const userId = account.user.id;
      const stillHolds = async (current: Account) => (await findAccount(profile))?.user.id === current.user.id;
      // An unlinking before the account was read left no other trace: the login would carry the new stamp.
      if (!(await stillHolds(account))) return refuse('changed-meanwhile', caller, upstreamRefused, userId);
      if (account.disabled) return refuse('disabled-user', caller, upstreamRefused, userId);
      await verifyAddress(account, upstream, profile, caller);
      const knownBrowser = knownBrowsers.find(passwordFingerprint(account), headers.cookie) !== undefined;
      const event = { reason: 'upstream', about: upstream, knownBrowser };
      const { presented, language } = request;
      const admission = { presented, language, headers, caller, remembered, event };
      const admitted = await admit({ account, methods: methodsOf(profile), stillHolds }, admission);
      if (admitted === undefined) return refuse('changed-meanwhile', caller, upstreamRefused, userId);
      await identities.noteUse(profile, upstream).catch(() => {});
      return admitted;
    },
  };
}
