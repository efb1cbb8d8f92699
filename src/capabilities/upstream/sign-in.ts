import type { Admitted } from '../../core/access/admit.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Policy } from '../../core/throttle/backoff.ts';
import { type Account, passwordFingerprint } from '../../core/users/account.ts';
import { AccountChanged, provedBy } from '../../core/users/held.ts';
import { maxNameLength } from '../../core/users/user.ts';
import { canonicalDomain } from '../../ground/text/mail-address.ts';
import { endSiteOf } from '../../ground/text/networks.ts';
import type { UpstreamCore } from './events.ts';
import { identityId } from './identities.ts';
import { createLinkedAccounts } from './linked-accounts.ts';
import { notLinked, upstreamRefused } from './refusals.ts';
import { createRefuse, type Reason } from './refuse.ts';
import { createRoundTrips, type Flow, type SignInRequest } from './round-trips.ts';
import type { Profile } from './upstream.ts';

/** Authentication methods of the sign-in. `fed` stands for another provider, for which RFC 8176 has no value. */
export const methodsOf = ({ isSecondFactor }: Profile) =>
  isSecondFactor ? (['fed', 'mfa'] as const) : (['fed'] as const);

const hour = 3600;

/** Limits of new accounts by users of other providers: for one identity, and from one network, which a whole office may share. */
export const newAccounts = {
  ofIdentity: { free: 5, firstWaitSeconds: hour, longestWaitSeconds: hour, keepSeconds: hour },
  ofNetwork: { free: 100, firstWaitSeconds: 60, longestWaitSeconds: hour, forgiveSeconds: 60, keepSeconds: hour },
} as const satisfies Readonly<Record<string, Policy>>;

export type SignIn = ReturnType<typeof createSignIn>;

/** Signs in users of other providers. */
export function createSignIn(core: UpstreamCore) {
  const { identities, users, holdNew, change, audit, admit, knownBrowsers, throttle, settings } = core;
  const refuse = createRefuse(core);
  const linked = createLinkedAccounts(core);
  const { accountOf, findAccount } = linked;
  const domains = settings.SIGN_UP_DOMAINS.map(canonicalDomain);

  /**
   * Counts new accounts, even those that were deleted since. Otherwise a user could delete and create accounts, each with its own limits of
   * mails and events.
   */
  const mayAdd = (profile: Profile, { address }: Caller): Promise<boolean> =>
    throttle.take([
      { key: `new-account:${identityId(profile)}`, policy: newAccounts.ofIdentity },
      { key: `new-accounts:${endSiteOf(address)}`, policy: newAccounts.ofNetwork },
    ]);

  /** Creates an account without a password. Of several first logins at the same time, one creates it. */
  async function signUp(upstream: string, profile: Profile, { caller }: SignInRequest): Promise<Account> {
    const { trustedAddress: username, firstName, lastName } = profile;
    const refuseNew = (reason: Reason) => refuse(reason, caller, notLinked);
    if (holdNew === undefined || settings.SIGN_UP === 'off') return refuseNew('not-linked');
    if (username === undefined) return refuseNew('untrusted-address');
    if (domains.length > 0 && !domains.includes(username.slice(username.indexOf('@') + 1)))
      return refuseNew('other-domain');
    const namesake = await users.findByUsername(username);
    if (namesake !== undefined && !namesake.isReplaceable)
      return (await findAccount(profile)) ?? refuseNew('taken-address');
    if (!(await mayAdd(profile, caller))) return refuseNew('too-many-accounts');
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
      const { id: userId } = held.user;
      const event = { kind: 'identity-linked', reason: 'new-account', caller, userId, about: upstream } as const;
      await audit.recordIn(held.db, event);
      return userId;
    }).catch((error: unknown) => {
      if (error !== isLinked) throw error;
      return undefined;
    });
    if (id === undefined) return (await findAccount(profile)) ?? refuseNew('taken-address');
    return (await findAccount(profile)) ?? refuseNew('void-identity');
  }

  /** Verifies the address if the provider has. Ignores a change of the account meanwhile, because `admit` then refuses the login. */
  async function verifyAddress(account: Account, upstream: string, { trustedAddress }: Profile, caller: Caller) {
    if (account.isAddressVerified || trustedAddress !== account.user.username) return;
    const isChange = (made: boolean) => made;
    const event = { kind: 'address-verified-upstream', about: upstream, isChange } as const;
    await change(event, provedBy(account), { caller }, async (held) => {
      if (held.account.isAddressVerified || held.user.username !== trustedAddress) return false;
      await users.verifyAddress(held, trustedAddress, { how: 'upstream', by: upstream });
      return true;
    }).catch((error: unknown) => {
      if (!(error instanceof AccountChanged)) throw error;
    });
  }

  async function findOrSignUp(upstream: string, profile: Profile, request: SignInRequest): Promise<Account> {
    const userId = await identities.findUserId(profile);
    if (userId === undefined) return signUp(upstream, profile, request);
    return (await accountOf(userId)) ?? refuse('void-identity', request.caller, notLinked);
  }

  return {
    ...createRoundTrips(core, refuse),
    ...linked,
    refuse,

    /**
     * Signs the user of an identity in. A new user gets an account, if the settings allow it.
     * @throws {Refusal} `not-linked`, `upstream-refused`, `mfa-required`
     */
    async logIn(
      { upstream, remembered = false, next }: Flow,
      profile: Profile,
      request: SignInRequest,
    ): Promise<Admitted> {
      const { caller, headers } = request;
      const account = await findOrSignUp(upstream, profile, request);
      const userId = account.user.id;
      const stillHolds = async (current: Account) => (await findAccount(profile))?.user.id === current.user.id;
      // If the identity was unlinked just before the account was read, the account already has its new stamp. `admit` would then notice no
      // change, so the link is looked up again.
      if (!(await stillHolds(account))) return refuse('changed-meanwhile', caller, upstreamRefused, userId);
      if (account.disabled) return refuse('disabled-user', caller, upstreamRefused, userId);
      await verifyAddress(account, upstream, profile, caller);
      const knownBrowser = knownBrowsers.find(passwordFingerprint(account), headers.cookie) !== undefined;
      const event = { reason: 'upstream', about: upstream, knownBrowser } as const;
      const { presented, language } = request;
      const admission = { presented, language, headers, next, caller, remembered, event };
      const admitted = await admit({ account, methods: methodsOf(profile), stillHolds }, admission);
      if (admitted === undefined) return refuse('changed-meanwhile', caller, upstreamRefused, userId);
      await identities.noteUse(profile, upstream).catch(() => {});
      return admitted;
    },
  };
}
