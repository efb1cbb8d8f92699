import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { Account } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import type { TestJanua } from '../../janua.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Decodes base32 as an authenticator app does. */
export function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** The code that an authenticator app shows (RFC 6238). @param time milliseconds since 1970 */
export function codeOf(secret: string, time: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(time / 30_000)));
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest();
  return String((mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Adds an authenticator app to an account, as its owner. Gives the secret. */
export async function addApp(
  { services, now }: Pick<TestJanua, 'services' | 'now'>,
  account: Account,
): Promise<string> {
  const { totp } = services.factors;
  const { secret } = await totp.begin(account.user, account.user.username);
  assert.ok(await services.hold(provedBy(account), (held) => totp.enable(held, codeOf(secret, now()))));
  return secret;
}
