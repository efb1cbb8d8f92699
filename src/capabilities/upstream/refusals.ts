import type { Answer } from '../../core/access/refusal.ts';

const again = '/auth/login';

export const noSuchUpstream: Answer = {
  name: 'no-such-upstream',
  status: 404,
  detail: 'There is no provider with that id',
  again,
};

/** The answer is the same for a sign-in that began in another browser, has expired, or was finished already. */
export const signInOver: Answer = {
  name: 'sign-in-over',
  status: 400,
  detail: 'This sign-in has expired, was used already, or began in another browser',
  again,
};

/** The answer is the same whatever the provider has answered, and for a disabled account. */
export const upstreamRefused: Answer = {
  name: 'upstream-refused',
  status: 403,
  error: 'access_denied',
  detail: 'You could not be signed in with that provider',
  again,
};

/**
 * The answer is the same whether the provider refused the confirmation or confirmed another user. So it does not reveal which user an
 * identity belongs to.
 * @param next path to continue at after the confirmation
 */
export const notConfirmed = (next?: string): Answer => ({
  ...upstreamRefused,
  name: 'not-confirmed',
  detail: 'That provider did not confirm that it is you',
  page: { path: `/auth/confirm?${new URLSearchParams({ state: 'refused', ...(next && { next }) })}` },
});

export const upstreamUnreachable: Answer = {
  name: 'upstream-unreachable',
  status: 503,
  detail: 'That provider cannot be reached at the moment',
  again,
};

/**
 * The answer is the same for a taken address and for an address that no trusted provider has verified, so it does not reveal which
 * addresses have accounts.
 */
export const notLinked: Answer = {
  name: 'not-linked',
  status: 403,
  error: 'access_denied',
  detail: 'No account is linked with that one. Log in another way, and link it at /account/sign-in-methods',
  again,
};

export const linkedElsewhere: Answer = {
  name: 'linked-elsewhere',
  status: 409,
  detail: 'That account is linked with another account here',
  again: '/account/sign-in-methods',
};

export const noSuchIdentity: Answer = {
  name: 'no-such-identity',
  status: 404,
  detail: 'You have nothing with that id',
};

export const lastWayIn: Answer = {
  name: 'last-way-in',
  status: 409,
  detail: 'You could then no longer log in. Set a password or add a passkey first',
  again: '/account/sign-in-methods',
};
