import type { SignedIn } from '../../core/access/access.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { createNotice } from '../../core/mail/notice.ts';
import type { Account } from '../../core/users/account.ts';
import { provedBy } from '../../core/users/held.ts';
import type { Database } from '../../ground/database/database.ts';
import type { Language } from '../../ground/languages/languages.ts';
import type { UpstreamCore } from './events.ts';
import { type Identity, identityId } from './identities.ts';
import { lastWayIn, linkedElsewhere, noSuchIdentity, signInOver } from './refusals.ts';
import type { Flow } from './round-trips.ts';
import type { SignIn } from './sign-in.ts';
import type { Profile } from './upstream.ts';

export const methodsPath = '/account/sign-in-methods';

/** The identity that the page shows, and that the user confirms by a button. */
type Offer = Identity & Pick<Flow, 'state'> & { readonly sessionId: string };

/** A change of sign-in methods by a signed-in user, after a fresh proof. */
export interface MethodChange {
  readonly signedIn: SignedIn;
  /** The account as it was at the proof. */
  readonly account: Account;
  readonly language: Language;
  readonly caller: Caller;
}

const changeBy = ({ signedIn: { session }, language, caller }: MethodChange) => ({ session, language, caller });

/** Links and unlinks users of other providers. Each change ends the user's other sessions. */
export function createLinking(core: UpstreamCore, signIn: SignIn) {
  const { upstreams, identities, tokens, change, ports, audit } = core;
  const { sealed, refuse, findAccount } = signIn;

  /** Identities whose provider is still configured. No user can log in with the others. */
  const usable = async (user: SignedIn['user'], db?: Database) =>
    (await identities.list(user, db)).filter((one) => upstreams.some(({ id }) => id === one.upstream));

  /** The name of the provider, for mails. The user's name at the provider could be any text. */
  const nameOf = (upstream = '') => upstreams.find(({ id }) => id === upstream)?.name ?? upstream;

  return {
    list: (user: SignedIn['user']) => identities.list(user),

    /** Tells whether the user can log in by a linked identity, without a password or a passkey. */
    isLinked: async (user: SignedIn['user'], db: Database) => (await usable(user, db)).length > 0,

    /**
     * Makes the value that the page's button sends, once the provider has named its user. Undefined if the user has linked that identity
     * already.
     * @throws {Refusal} `sign-in-over` for another session, `linked-elsewhere`
     */
    async offer(flow: Flow, profile: Profile, signedIn: SignedIn | undefined, { caller }: { readonly caller: Caller }) {
      if (signedIn === undefined || signedIn.session.id !== flow.sessionId) return refuse('over', caller, signInOver);
      const { issuer, subject, name } = profile;
      const account = await findAccount(profile);
      if (account?.user.id === signedIn.user.id) return undefined;
      if (account !== undefined) return refuse('linked-elsewhere', caller, linkedElsewhere, signedIn.user.id);
      const offer: Offer = {
        issuer,
        subject,
        name,
        upstream: flow.upstream,
        state: flow.state,
        sessionId: signedIn.session.id,
      };
      return sealed.seal('link', offer);
    },

    /** @throws {Refusal} `sign-in-over`, `linked-elsewhere` */
    async link(sent: string, by: MethodChange) {
      const { signedIn, account, caller } = by;
      const offer = sealed.open<Offer>('link', sent);
      if (offer?.sessionId !== signedIn.session.id) return refuse('over', caller, signInOver, signedIn.user.id);
      const former = await identities.findUserId(offer);
      if (former !== undefined && (await findAccount(offer)) !== undefined) throw new Refusal(linkedElsewhere);
      if (!(await tokens.markUsed('upstream', `link:${offer.state}`, offer.expiresAt)))
        return refuse('over', caller, signInOver, signedIn.user.id);
      const noticeDetails = () => ({ provider: nameOf(offer.upstream) });
      const event = { kind: 'identity-linked', reason: 'by-owner', about: offer.upstream, noticeDetails } as const;
      const changed = await change(event, provedBy(account), changeBy(by), async (held) => {
        // The user with whom the identity was linked is gone, or is in another table of users than the present one. The old link is
        // removed, because that user may come back.
        if (former !== undefined && (await identities.remove({ id: former }, identityId(offer), held.db))) {
          const { upstream: about } = offer;
          const unlinked = { kind: 'identity-unlinked', reason: 'linked-anew', userId: former, caller, about } as const;
          await audit.recordIn(held.db, unlinked);
        }
        if (!(await identities.add(offer, held))) throw new Refusal(linkedElsewhere);
      });
      return changed.renewed;
    },

    /** @throws {Refusal} `no-such-identity`, `last-way-in` */
    async unlink(id: string, by: MethodChange) {
      let provider = '';
      const event = { kind: 'identity-unlinked', reason: 'by-owner', noticeDetails: () => ({ provider }) } as const;
      const changed = await change(event, provedBy(by.account), changeBy(by), async (held) => {
        const { user, db } = held;
        provider = nameOf((await identities.list(user, db)).find((own) => own.id === id)?.upstream);
        if (!(await identities.remove(user, id, db))) throw new Refusal(noSuchIdentity);
        const canLogIn = held.account.passwordHash !== undefined || (await ports.hasOtherSignIn(user, db));
        if (!canLogIn) throw new Refusal(lastWayIn);
      });
      return changed.renewed;
    },
  };
}

/** Describes the mail about a change of sign-in methods. */
export const describeMethodsChanged = (users: UpstreamCore['users'], baseUrl: () => string) =>
  createNotice(users, baseUrl)(methodsPath);
