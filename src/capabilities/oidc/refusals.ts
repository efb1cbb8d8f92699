import type { Answer } from '../../core/access/refusal.ts';

/** There is nothing to sign in to: no client was added. */
export const noProvider: Answer = {
  name: 'no-provider',
  status: 404,
  detail: 'No application signs its users in here yet. Add one: ./bin/janua clients add',
  event: { kind: 'application-refused', reason: 'no-provider' },
};

/** A page for the user. The error cannot be sent to the application, because the request has no verified redirect address. */
export const applicationRefused: Answer = {
  name: 'application-refused',
  status: 400,
  detail: 'The request of the application cannot be answered. janua explain shows its operator why',
};

/** The request, or a parameter of it, is longer than `provider/bounded-request.ts` allows. */
export const requestTooLong: Answer = {
  name: 'request-too-long',
  status: 414,
  error: 'invalid_request',
  detail:
    'The request of the application has more than 8,192 characters, an address in it more than 261, or its nonce more than 512. Its maker has to shorten it',
  event: { kind: 'application-refused', reason: 'too-long' },
};

/** RFC 6749 3.1 forbids repeated parameters, because a proxy could check one value while Janua uses the other. */
export const repeatedParameter: Answer = {
  name: 'repeated-parameter',
  status: 400,
  error: 'invalid_request',
  detail:
    'The request of the application has a parameter twice, or more than 50 parameters. Only resource may come twice',
  event: { kind: 'application-refused', reason: 'repeated-parameter' },
};

/** The sign-in has ended, or began in another browser or session. */
export const interactionOver: Answer = {
  name: 'interaction-over',
  status: 400,
  detail: 'This sign-in has ended. Please open the application again',
};

export const notInGroup = {
  name: 'not-in-group',
  status: 403,
  error: 'access_denied',
  detail: 'You may not use this application',
} as const satisfies Answer;

/** The application demands a second factor, and no user can have one, because `SECOND_FACTOR` is `off`. */
export const secondFactorOff = {
  name: 'second-factor-off',
  status: 403,
  error: 'access_denied',
  detail: 'This application demands a second factor, and this site offers none',
} as const satisfies Answer;

export const unknownDevice: Answer = {
  name: 'unknown-device',
  status: 404,
  detail: 'There is no device that waits with this code. It may have expired',
  event: { kind: 'application-refused', reason: 'unknown-device' },
};
