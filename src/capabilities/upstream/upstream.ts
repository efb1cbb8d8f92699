/** A provider that users can sign in with, as the operator has configured it. */
export interface Upstream {
  readonly id: string;
  readonly kind: 'google' | 'microsoft' | 'github' | 'gitlab' | 'keycloak' | 'openid' | 'janua';
  /** The name on the button. */
  readonly name: string;
  readonly issuer: string;
  /** For Microsoft: the id of one tenant, or `common`, `organizations` or `consumers`. */
  readonly tenant: string | undefined;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: readonly string[] | undefined;
  /** Domains of the addresses that the issuer may vouch for. `*`: all. */
  readonly trustedDomains: readonly string[] | undefined;
  /** Values of `acr` or `amr` that count as a second factor. */
  readonly countsAsSecondFactor: readonly string[];
}

/** Tells whether a provider can say when its user has signed in: only OpenID Connect has `auth_time`. */
export const provesAnew = ({ kind }: Pick<Upstream, 'kind'>): boolean => kind !== 'github';

/** A user of another provider, as it has just described them. Issuer and subject identify the user. The address never does. */
export interface Profile {
  readonly issuer: string;
  readonly subject: string;
  /** The user's name or address at the provider. */
  readonly name: string;
  readonly firstName: string;
  readonly lastName: string;
  /** In its canonical form, if the issuer has verified it and the operator trusts the issuer for its domain. Undefined otherwise. */
  readonly trustedAddress: string | undefined;
  readonly isSecondFactor: boolean;
}

/** The claims of an ID token or of userinfo. For GitHub, the data of its API under the same names. */
export type Claims = Readonly<Record<string, unknown>>;
