import { type Answer, loginMessages } from '../../core/access/refusal.ts';
import { linkExpired } from '../../core/tokens/links.ts';

/** The answer to an expired link for adding a factor. The page leads to the login, which mails a new link. */
export const enrolmentExpired = linkExpired('/auth/login');

/** The answer is the same for a wrong, used or expired code, and for a login that waits no longer. */
export const invalidFactor: Answer = {
  name: 'invalid-factor',
  status: 400,
  error: 'invalid_grant',
  detail: 'This code or this login is not valid, or no longer',
};

/** The user has to begin the login again. */
export const loginOver: Answer = {
  ...invalidFactor,
  name: 'login-over',
  loginPage: { message: loginMessages.notSignedIn, next: 'sent' },
};

export const passkeyRefused: Answer = {
  name: 'passkey-refused',
  status: 400,
  error: 'invalid_grant',
  detail: 'This passkey cannot be used here',
  loginPage: { message: loginMessages.passkeyRefused, next: 'sent' },
};

/**
 * The login page makes the browser forget the passkey. The response must be the page itself, not a redirect to it: any site could link to
 * the target of the redirect.
 */
export const passkeyUnknown: Answer = {
  ...passkeyRefused,
  name: 'passkey-unknown',
  detail: 'There is no such passkey',
  loginPage: { message: loginMessages.passkeyUnknown, next: 'sent', inPlace: true },
};

export const noSuchFactor: Answer = { name: 'no-such-factor', status: 404, detail: 'There is nothing with that id' };

/** A stolen password alone must not add the demanded factor. The login mails a link for adding it. */
export const factorDemanded: Answer = {
  name: 'factor-demanded',
  status: 403,
  detail: 'Your account must have a second factor. Sign out and in again to add it: you get a link by mail',
};

/** An account keeps the last factor that it needs. */
export const lastFactor: Answer = {
  name: 'last-factor',
  status: 409,
  detail: 'Your account must keep this factor. Add another one before you remove it',
};
