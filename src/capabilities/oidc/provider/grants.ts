import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { SignedIn } from '../../../core/access/access.ts';
import { createSecret } from '../../../core/sessions/credential.ts';
import { outlivesSession, type ProviderClient } from '../clients/library-client.ts';
import { isNativeAddress } from '../clients/uri-rules.ts';
import type { Derive } from '../records/derived-ids.ts';
import { type RequestedScopes, requestedOf, scopesOfResources } from '../sign-in/requested-scopes.ts';
import type { ProviderOptions } from './options.ts';
import { signedInOf } from './requests.ts';

type Grant = InstanceType<Provider['Grant']>;

/**
 * Seconds for which a grant that is to outlive its session is valid at first: the lifetime of a code. If no code is issued, the grant
 * expires.
 */
const firstSeconds = 60;

type GrantOptions = Pick<ProviderOptions, 'records' | 'hasConsent' | 'subjectOf'>;

/** Issues and finds the grants of applications. Users allow them on a page, unless no question is needed. */
export function createGrants(provider: Provider, { records, hasConsent, subjectOf }: GrantOptions, derive: Derive) {
  /** Tells whether the user has to decide about the application on a page, and has not done so for this request. */
  async function needsConsent(ctx: KoaContextWithOIDC): Promise<boolean> {
    const { client, result } = ctx.oidc;
    const user = signedInOf(ctx)?.user;
    if (client === undefined || user === undefined || client.own || result?.consent) return false;
    // The user decides about a native application each time, because any program on the machine could act as it.
    return (
      isNativeAddress(String(ctx.oidc.params?.redirect_uri)) || !(await hasConsent(user, client, requestedOf(ctx.oidc)))
    );
  }

  /**
   * Issues a grant for an application's request in a session, or adds the requested scopes to the grant `given`.
   * @param isSeparate true for a grant that is to outlive the session
   */
  async function give(
    to: { accountId: string; clientId: string; sessionId: string },
    asked: RequestedScopes,
    given?: Grant,
    isSeparate = false,
  ): Promise<Grant> {
    const { accountId, clientId, sessionId } = to;
    const grant = given ?? new provider.Grant({ accountId, clientId, ...(isSeparate && { expiresIn: firstSeconds }) });
    if (!addAsked(grant, asked) && given !== undefined) return grant;
    grant.jti = given?.jti ?? (isSeparate ? createSecret() : derive('grant', sessionId, clientId));
    // The given one may have been revoked since it was found. It is then a new one.
    await records.bind(grant.jti, sessionId, () => grant.save());
    return grant;
  }

  return {
    needsConsent,

    /** Finds the grant of an application, or issues it if the user need not be asked. */
    async load(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
      const { client, session, result, account } = ctx.oidc;
      const signedIn = signedInOf(ctx);
      if (client === undefined || session === undefined || account === undefined || signedIn === undefined)
        return undefined;
      const { clientId } = client;
      const isLasting = outlivesSession(client, ctx.oidc.requestParamScopes);
      // A lasting grant is separate, so that its end leaves the grant of a plain sign-in in the same session.
      const isSeparate = isLasting && result?.consent !== undefined;
      const given = isSeparate ? undefined : await provider.Grant.find(String(session.grantIdFor(clientId)));
      if (await needsConsent(ctx)) return given;
      const to = { accountId: account.accountId, clientId, sessionId: session.uid };
      const grant = await give(to, ctx.oidc, given, isSeparate);
      if (isLasting) ctx.state.lastingGrant = grant.jti;
      return grant;
    },

    /**
     * Called once a code was issued. A lasting grant then outlives its session, until the stamp of the account changes (`stampOf`). That
     * also holds if the user was not asked again.
     */
    async keep(ctx: KoaContextWithOIDC): Promise<void> {
      const [grantId, signedIn] = [ctx.state.lastingGrant, signedInOf(ctx)];
      if (grantId !== undefined && signedIn !== undefined) await records.keep(grantId, signedIn.session.stamp);
    },

    /** Issues the grant of a device, which `answerDevice` makes last. @returns the id of the grant */
    async giveDevice(client: ProviderClient, asked: RequestedScopes, { session, user }: SignedIn): Promise<string> {
      const to = { accountId: await subjectOf(user), clientId: client.clientId, sessionId: session.id };
      return (await give(to, asked, undefined, true)).jti;
    },
  };
}

/** Adds the scopes and claims of a request to a grant. False if the grant has all of them already. */
function addAsked(grant: Grant, asked: RequestedScopes): boolean {
  const before = JSON.stringify([grant.openid, grant.resources]);
  if (asked.requestParamOIDCScopes.size > 0) grant.addOIDCScope(new Set(asked.requestParamOIDCScopes));
  if (asked.requestParamClaims.size > 0) grant.addOIDCClaims(new Set(asked.requestParamClaims));
  for (const { resource, scope } of scopesOfResources(asked)) grant.addResourceScope(resource, scope);
  return JSON.stringify([grant.openid, grant.resources]) !== before;
}
