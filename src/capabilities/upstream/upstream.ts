/** A provider that users can sign in with, as the operator has set it up. */
export interface Upstream {
  readonly id: string;
  readonly kind: 'google' | 'microsoft' | 'github' | 'gitlab' | 'keycloak' | 'openid' | 'janua';
  /** On the button. */
  readonly name: string;
  readonly issuer: string;
  /** Of Microsoft: the id of one tenant, or `common`, `organizations` or `consumers`. */
  readonly tenant: string | undefined;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: readonly string[] | undefined;
  /** Domains of the addresses that the issuer may vouch for. `*`: all. */
  readonly trustedDomains: readonly string[] | undefined;
  /** Values of `acr` or `amr` that stand for a second factor. */
  readonly countsAsSecondFactor: readonly string[];
}

/** Whether a provider can tell when its user has signed in there: only OpenID Connect has `auth_time`. */
export const provesAnew = ({ kind }: Pick<Upstream, 'kind'>): boolean => kind !== 'github';

/** A user of another provider, as it has just described them. Issuer and subject are the identity, and never the address. */
export interface Profile {
  readonly issuer: string;
  readonly subject: string;
  /** What the user is called there. */
  readonly name: string;
  readonly firstName: string;
  readonly lastName: string;
  /** In its canonical form, if the issuer has verified it and the operator trusts the issuer for its domain. */
  readonly trustedAddress: string | undefined;
  readonly isSecondFactor: boolean;
}

/** The claims of an ID token or of userinfo, or what GitHub's API says under their names. */
export type Claims = Readonly<Record<string, unknown>>;
