import type { KoaContextWithOIDC } from 'oidc-provider';
import { readToken } from '../keys/token-parts.ts';
import type { Payload } from '../records/record-rows.ts';
import { waitingSeconds } from '../sign-in/pending-address.ts';
import { withScopes } from '../sign-in/requested-scopes.ts';
import { errors, Provider } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { replace } from './replace.ts';

/** The beginning of a `request_uri` (RFC 9126 2.2). */
const uriStart = 'urn:ietf:params:oauth:request_uri:';

export const requestUriOf = (id: string): string => uriStart + id;

/** Returns the parameters with the `request_uri` from which they came, so that they count as pushed when the browser repeats them. */
export const withPushed = (parameters: Payload, id: string | undefined): Payload =>
  id === undefined ? parameters : { ...parameters, request_uri: requestUriOf(id) };

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** Writes a request as the library stores pushed ones. It verifies no signature of these, because it did so when they were pushed. */
const toStored = (payload: object) => `${encode({ alg: 'none' })}.${encode(payload)}.`;

/** The name of used requests among used assertions. */
const issuer = 'pushed requests';

type Pushed = InstanceType<Provider['PushedAuthorizationRequest']>;
type PushedOptions = Pick<ProviderOptions, 'records' | 'findResource' | 'now'> & { readonly issuer: string };

/**
 * Lets a pushed request (RFC 9126) wait as long as any other. The library stores it for a minute, which is too short for a login. A browser
 * without a session therefore repeats the request by an address with all its parameters, which this server has signed
 * (`createReturnAddress`), and with its `request_uri`. One use counts, whichever way the request came.
 */
export function overridePushedRequests(
  { PushedAuthorizationRequest: Model }: Provider,
  { records, findResource, now, issuer: audience }: PushedOptions,
): void {
  const { find } = Model;

  /** Reads the parameters that the browser repeats. */
  const repeated = ({ query }: KoaContextWithOIDC) => {
    const { request_uri: _, asked_at: __, ...parameters } = query;
    return { ...parameters, iss: query.client_id, aud: audience };
  };

  replace(Model, {
    async find(id: string, options?: object): Promise<Pushed | undefined> {
      const { ctx } = Provider;
      // A request that waited is not looked up again: its use decides.
      const waited = new Model({ request: '' });
      waited.jti = id;
      if (ctx?.oidc.route !== 'authorization') return waited;
      if (ctx.state.askedAt !== undefined) {
        if (await records.isUsed({ issuer, jti: id })) return undefined;
        return Object.assign(waited, { request: toStored(await withScopes(repeated(ctx), findResource)) });
      }
      const found: Pushed | undefined = await Reflect.apply(find, Model, [id, options]);
      if (found === undefined) return undefined;
      const { payload = {} } = readToken(found.request);
      return Object.assign(found, { request: toStored(await withScopes(payload, findResource)) });
    },
  });

  replace(Model.prototype, {
    async consume(this: Pushed): Promise<void> {
      // No address with this request is valid after that time.
      const end = now() + 2 * waitingSeconds * 1000;
      const party = `requests of user ${Provider.ctx?.oidc.session?.accountId}`;
      const use = await records.useAssertion({ issuer, jti: this.jti, end, party });
      if (use === 'used') throw new errors.InvalidRequestUri('request_uri was already used');
      if (use === 'too-many') throw new errors.TemporarilyUnavailable('too many requests in ten minutes');
      await records.of('PushedAuthorizationRequest').destroy(this.jti);
    },
  });
}
