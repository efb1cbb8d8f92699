import { createHmac } from 'node:crypto';
import { isSame } from '../../core/sessions/credential.ts';

/** How long a code is shown, in seconds (RFC 6238 5.2). */
export const stepSeconds = 30;

/** Steps by which the clock of a phone may differ (RFC 6238 6). */
const drift = 1;

/**
 * Computes the code of a step (RFC 6238, RFC 4226 5.3). It uses SHA-1 and 6 digits, because many authenticator apps ignore other
 * parameters, and would show wrong codes.
 */
export function codeAt(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const offset = digest.readUInt8(digest.length - 1) & 0xf;
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/**
 * Finds the step of a typed code. Undefined for a wrong code. If two steps have this code, the later one is used up, so that the code is
 * not accepted again.
 * @param time milliseconds since 1970
 */
export function findStep(secret: Buffer, code: string, time: number): number | undefined {
  const typed = code.replaceAll(/\s/g, '');
  const current = Math.floor(time / 1000 / stepSeconds);
  // Compares every step, so that the response time reveals nothing.
  return [current + drift, current, current - drift].filter((step) => isSame(typed, codeAt(secret, step)))[0];
}
