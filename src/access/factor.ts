import type { Caller } from '../audit/event.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';

export interface SentFactor {
  /** `totp`, `recovery_code` or `passkey`. Others are wrong codes. */
  readonly method: string;
  readonly code?: string | undefined;
  /** JSON of a passkey's answer. */
  readonly credential?: unknown;
  /** The cookie that the passkey's challenge is bound to. */
  readonly ceremony?: string | undefined;
}

/** @param binding what a passkey's challenge was made for @throws {Refusal} `too-many-codes` */
export type CheckFactor = (
  account: Account,
  sent: SentFactor,
  binding: string,
  caller: Caller,
) => Promise<
  | { readonly succeeded: true; readonly methods: readonly AuthenticationMethod[] }
  | { readonly succeeded: false; readonly reason: keyof typeof factorReasons }
>;

/** Why a second factor proved nothing, for `janua explain`. */
export const factorReasons = {
  'wrong-code': {
    words: 'the code was wrong, or was used already',
    advice:
      'Compare the clock of the phone: codes are valid for 30 seconds. If the phone is lost: a recovery code, or janua users remove-factors EMAIL.',
  },
  'wrong-passkey': {
    words: 'the passkey could not be verified',
    advice: 'Try again. If the passkey is lost: another factor, or janua users remove-factors EMAIL.',
  },
} as const;
