import type { Language } from '../../ground/languages/languages.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';
import { type Answer, tooMany } from './refusal.ts';

/** The factors of an account besides its password. */
export type FactorMethod = 'passkey' | 'totp' | 'recovery_code';

/** Checks whether the methods include a second factor. A passkey counts as two factors, because the authenticator verified the user. */
export const includesSecondFactor = (methods: readonly AuthenticationMethod[]): boolean =>
  methods.some((method) => method === 'mfa' || method === 'user');

/** The same error code as in Auth0's password grant. A browser is redirected to the second step instead. */
export const mfaRequired: Answer = {
  name: 'mfa-required',
  status: 403,
  error: 'mfa_required',
  detail: 'This account has a second factor. Log in on a page, or send the mfa_token to /api/second-factor',
};

/** The answer if the password was right, but the account must add a second factor first. The page says where to find the link for that. */
export const enrolmentRequired: Answer = {
  name: 'enrolment-required',
  status: 403,
  error: 'enrolment_required',
  detail: 'This account needs a second factor first. A link in a mail, or from an operator, adds one',
  page: { path: '/auth/enrol-factor?state=1', next: 'sent' },
};

export const tooManyCodes: Answer = { ...tooMany, name: 'too-many-codes' };

/** Seconds that a login waits for its second factor. */
export const pendingSeconds = 10 * 60;

/** The purposes of a passkey's challenge, besides a login by passkey alone. A challenge is valid for its purpose only. */
export const challengePurposes = {
  confirm: (sessionId: string) => `confirm:${sessionId}`,
  secondStep: (pendingId: string) => `second-factor:${pendingId}`,
};

export interface SentFactor {
  /** A `FactorMethod`. Any other text is handled as a wrong code. */
  readonly method: string;
  readonly code?: string | undefined;
  /** The language of the request. */
  readonly language?: Language | undefined;
  /** The response of a passkey, as JSON. */
  readonly credential?: unknown;
  /** The headers of the request, with the cookie that the passkey's challenge is bound to. */
  readonly headers: { readonly cookie?: string | undefined };
}

/**
 * Checks a second factor. A right one cannot be used again. `throttle` describes the keys under which the attempt was counted.
 * @param purpose one of `challengePurposes`, for which a passkey's challenge must have been made
 * @throws {Refusal} `too-many-codes`
 */
export type CheckFactor = (
  account: Account,
  sent: SentFactor,
  purpose: string,
  caller: Caller,
) => Promise<
  Pick<AuditEvent, 'throttle'> &
    (
      | { readonly succeeded: true; readonly methods: readonly AuthenticationMethod[] }
      /** Clients get the code. The audit records the reason. */
      | {
          readonly succeeded: false;
          readonly code: 'wrong-code' | 'wrong-passkey';
          readonly reason: keyof typeof factorReasons;
        }
    )
>;

/** The reasons why a passkey is refused. Only after `unknown-passkey`, the page tells the browser that the credential is gone. */
export const passkeyReasons = {
  malformed: {
    words: 'the request had no response of a passkey, or parts of it were missing or too long',
    advice: 'If the user sees it again, find the sender of the request: the page of Janua, or a program.',
  },
  'unknown-passkey': {
    words: 'the server has no such passkey; the user may have removed it here, but not from the device',
    advice: 'Remove the passkey from the device, sign in another way, and add a new one.',
  },
  'foreign-passkey': { words: 'the passkey belongs to another account', advice: 'Use a passkey of the account.' },
  'expired-challenge': { words: 'the request was late, a repetition, or of another browser', advice: 'Try again.' },
  'invalid-response': {
    words: 'the signature, the origin, the domain, or the user verification was not right',
    advice: 'Compare the origin with PUBLIC_URL, and the domain with PASSKEY_DOMAIN. janua doctor shows both.',
  },
  'old-counter': {
    words: 'the passkey has been used since, so there may be a copy of it',
    advice: 'If the user did not sign in twice at that moment: remove the passkey from the account, and add a new one.',
  },
} as const;

export type PasskeyFault = keyof typeof passkeyReasons;

/** The reasons why a second factor is refused, for `janua explain`. */
export const factorReasons = {
  'wrong-code': {
    words: 'the code was wrong, or was used already',
    advice:
      'Compare the clock of the phone: codes are valid for 30 seconds. If the phone is lost: a recovery code, or janua users remove-factors EMAIL.',
  },
  ...passkeyReasons,
} as const;
