import type { SignedIn } from '../../core/access/access.ts';
import type { ConfirmingRequest } from '../../core/access/fresh-proof.ts';
import type { Account } from '../../core/users/account.ts';
import type { UpstreamCore } from './events.ts';
import { notConfirmed, signInOver } from './refusals.ts';
import type { Flow } from './round-trips.ts';
import { methodsOf, type SignIn } from './sign-in.ts';
import { type Profile, provesAnew } from './upstream.ts';

/**
 * The content of the cookie by which a browser keeps a proof from another provider until the user has proved a second factor. The next
 * proof of the session changes `authenticatedAt`, which voids the cookie.
 */
interface Proof {
  readonly sessionId: string;
  readonly authenticatedAt: number;
}

/** Accepts a new sign-in with another provider as proof of the session owner's identity. */
export const createConfirming = (
  { upstreams, identities, ports }: UpstreamCore,
  { sealed, cookie, refuse, findAccount }: SignIn,
) => ({
  /** Lists the ids of the linked providers that can make the user sign in again. */
  async providersOf(account: Pick<Account, 'user'>): Promise<string[]> {
    if (!upstreams.some(provesAnew)) return [];
    const linked = new Set((await identities.list(account.user)).map(({ upstream }) => upstream));
    return upstreams.filter((one) => provesAnew(one) && linked.has(one.id)).map(({ id }) => id);
  },

  /**
   * Renews the session that began the sign-in. If the account also needs a second factor, returns the cookie that stands for the password.
   * @throws {Refusal} `sign-in-over` for another session, `not-confirmed`
   */
  async confirm(flow: Flow, profile: Profile, signedIn: SignedIn | undefined, request: ConfirmingRequest) {
    const { caller } = request;
    if (signedIn === undefined || signedIn.session.id !== flow.sessionId) return refuse('over', caller, signInOver);
    const { user, session } = signedIn;
    if ((await findAccount(profile))?.user.id !== user.id)
      return refuse('not-own', caller, notConfirmed(flow.next), user.id);
    await identities.noteUse(profile, flow.upstream).catch(() => {});
    const confirmed = await ports.confirmBy(signedIn, methodsOf(profile), request);
    const proof: Proof = { sessionId: session.id, authenticatedAt: session.authenticatedAt };
    return { confirmed, cookie: confirmed ? cookie.removal : cookie.header(sealed.seal('proof', proof)) };
  },

  /**
   * Tells whether the browser has the cookie of `confirm` for this session. The sign-in with the other provider then takes the place of the
   * password.
   */
  isProved({ session }: SignedIn, headers: ConfirmingRequest['headers']): boolean {
    const proof = sealed.open<Proof>('proof', cookie.read(headers.cookie) ?? '');
    return proof?.sessionId === session.id && proof.authenticatedAt === session.authenticatedAt;
  },
});
