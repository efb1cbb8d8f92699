import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { SignedIn } from '../../../core/access/access.ts';
import type { Session } from '../../../core/sessions/sessions.ts';
import type { User } from '../../../core/users/user.ts';
import { acrOf } from '../claims.ts';
import type { Derive } from '../records/derived-ids.ts';
import type { Payload } from '../records/record-rows.ts';
import type { ProviderOptions } from './options.ts';
import type { WaitingDevice } from './pending-requests.ts';
import { noteAccount, signedInOf, subjectIn } from './requests.ts';

/** Finds Janua's sessions, and makes the library's sessions from them for each request. The library stores no session. */
export type LibrarySessions = ReturnType<typeof createLibrarySessions>;

export function createLibrarySessions(
  { Session }: Provider,
  options: Pick<ProviderOptions, 'findLiving' | 'subjectOf'>,
  derive: Derive,
) {
  // Without a payload, the session stands for a browser in which no user is signed in.
  const MadeSession = Session as unknown as new (payload?: object) => InstanceType<typeof Session>;

  async function sessionOf(session: Session, user: User) {
    return new MadeSession({
      jti: session.id,
      uid: session.id,
      accountId: await subjectIn(user, options),
      loginTs: Math.floor(session.authenticatedAt / 1000),
      amr: [...session.methods],
      acr: acrOf(session.methods),
    });
  }

  /** Returns when and how the user of a session logged in, in the terms of the protocol. */
  async function loginOf({ session, user }: SignedIn) {
    const { accountId = '', loginTs, amr, acr } = await sessionOf(session, user);
    return { accountId, ...(loginTs !== undefined && { ts: loginTs }), ...(amr && { amr }), ...(acr && { acr }) };
  }

  return {
    loginOf,

    /** Finds the session of a request. */
    async get(ctx: object) {
      const signedIn = signedInOf(ctx as KoaContextWithOIDC);
      const session = signedIn === undefined ? new MadeSession() : await sessionOf(signedIn.session, signedIn.user);
      const { oidc, state } = ctx as KoaContextWithOIDC;
      oidc.entity('Session', session);
      // A user who has logged in since the application asked is not asked again.
      if (signedIn !== undefined && signedIn.session.authenticatedAt >= state.askedAt)
        Object.assign(oidc, { result: { login: await loginOf(signedIn) } });
      return session;
    },

    /** Finds the session of a code or token. Undefined if it has ended. */
    async findByUid(uid: string) {
      const living = await options.findLiving(uid);
      if (living === undefined) return undefined;
      const session = await sessionOf(living.session, living.account.user);
      noteAccount(session.accountId ?? '', living.account);
      return session;
    },

    /** Returns the fields that a device code gets once the user has allowed the device. Its grant outlives the session. */
    async deviceAnswer(
      { client, asked }: WaitingDevice,
      { session, user }: SignedIn,
      grantId: string,
    ): Promise<Payload> {
      const { accountId, loginTs: authTime, amr, acr } = await sessionOf(session, user);
      const [resource] = Object.keys(asked.resourceServers ?? {});
      const scope = [...asked.requestParamScopes].join(' ');
      // The `sid` is not that of the browser session, because the device stays signed in when that session ends.
      const sid = derive('sid', grantId, client.clientId);
      const answer = { accountId, authTime, amr, acr, grantId, scope, sid, sessionUid: session.id };
      return { ...answer, ...(resource && { resource }) };
    },
  };
}
