import { type Answer, loginMessages, tooMany } from '../../core/access/refusal.ts';

export const invalidCredentials: Answer = {
  name: 'invalid-credentials',
  status: 400,
  error: 'invalid_grant',
  detail: 'Incorrect username or password',
  loginPage: { message: loginMessages.failed, next: 'sent' },
};

export const incompleteLogin: Answer = {
  name: 'incomplete-login',
  status: 400,
  error: 'invalid_request',
  detail: 'Send username and password in the body, each once, as text, of at most 254 characters and 1024 bytes',
  loginPage: { message: loginMessages.failed, next: 'sent' },
  event: { kind: 'login-incomplete', reason: 'incomplete' },
};

export const unsupportedGrantType: Answer = {
  name: 'unsupported-grant-type',
  status: 400,
  error: 'unsupported_grant_type',
  detail: 'The only grant type here is password',
  loginPage: { message: loginMessages.failed },
  event: { kind: 'login-incomplete', reason: 'unsupported-grant-type' },
};

export const tooManyConfirmations: Answer = { ...tooMany, name: 'too-many-confirmations' };

export const tooManyAttempts: Answer = {
  ...tooMany,
  name: 'too-many-attempts',
  loginPage: { message: loginMessages.throttled, next: 'sent', inPlace: true },
};

export const noSession: Answer = {
  name: 'no-session',
  status: 401,
  detail: 'This session has not been logged in before',
  loginPage: { message: loginMessages.noSession },
};

/** For a browser in which another window has logged out. Programs need not distinguish it from `noSession`. */
export const sessionOver: Answer = {
  ...noSession,
  name: 'session-over',
  loginPage: { message: loginMessages.sessionOver },
};
