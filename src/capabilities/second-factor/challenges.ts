import { createHmac, randomBytes } from 'node:crypto';
import { isSame } from '../../core/sessions/credential.ts';
import type { Tokens } from '../../core/tokens/tokens.ts';

/** The purpose and the browser for which a challenge is made. The challenge is not valid for any other. */
export interface Binding {
  /** `sign-in`, or `enrol:` and the id of the session, or one of `challengePurposes`. */
  readonly purpose: string;
  /** The `ceremony` cookie of the browser. Without it, no challenge is valid. */
  readonly cookie: string | undefined;
}

/** Milliseconds in which a user must answer a challenge. */
export const challengeLifetime = 5 * 60 * 1000;

const [randomLength, timeLength] = [16, 6];

/** A challenge in base64url. Its 54 bytes fill exactly 72 characters, so no challenge has a second spelling. */
const shape = /^[\w-]{72}$/;

/**
 * Challenges of passkeys (WebAuthn 13.4.3): random bytes and the time when they expire, signed. The server stores nothing until one is
 * used, so that visitors who only look at the login page fill no table.
 * @param key 32 bytes or more
 */
export function createChallenges(key: Buffer, tokens: Pick<Tokens, 'markUsed'>, now: () => number) {
  function sign(head: Buffer, { purpose, cookie }: Binding): string {
    const mac = createHmac('sha256', key).update(JSON.stringify(['challenge', purpose, cookie]));
    return Buffer.concat([head, mac.update(head).digest()]).toString('base64url');
  }

  return {
    create(binding: Binding): string {
      const head = randomBytes(randomLength + timeLength);
      head.writeUIntBE(now() + challengeLifetime, randomLength, timeLength);
      return sign(head, binding);
    },

    /** Tells whether Janua made the challenge for this binding, and it has not expired. It may have been used already. */
    isValid(challenge: unknown, binding: Binding): challenge is string {
      if (typeof challenge !== 'string' || !shape.test(challenge) || binding.cookie === undefined) return false;
      const head = Buffer.from(challenge, 'base64url').subarray(0, randomLength + timeLength);
      return isSame(challenge, sign(head, binding)) && expiryOf(challenge) > now();
    },

    /** Uses up a valid challenge: of many calls at the same time, one returns true. @throws {Unavailable} */
    useUp: (challenge: string): Promise<boolean> => tokens.markUsed('challenge', challenge, expiryOf(challenge)),
  };
}

/** Milliseconds since 1970. */
const expiryOf = (challenge: string) => Buffer.from(challenge, 'base64url').readUIntBE(randomLength, timeLength);
