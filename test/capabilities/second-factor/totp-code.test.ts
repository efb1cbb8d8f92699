import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crockford, rfc4648, toBase32 } from '../../../src/capabilities/second-factor/base32.ts';
import { codeAt, findStep } from '../../../src/capabilities/second-factor/totp-code.ts';

const secret = Buffer.from('12345678901234567890');

test('codes are those of RFC 4226, appendix D', () => {
  const codes = Array.from({ length: 10 }, (_, counter) => codeAt(secret, counter));
  assert.deepEqual(codes, [
    ...['755224', '287082', '359152', '969429', '338314'],
    ...['254676', '287922', '162583', '399871', '520489'],
  ]);
});

test('codes are the last six digits of those of RFC 6238, appendix B', () => {
  for (const [seconds, code] of [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ] as const) {
    assert.equal(codeAt(secret, Math.floor(seconds / 30)), code);
    assert.equal(findStep(secret, code, seconds * 1000), Math.floor(seconds / 30));
  }
});

test('a code is right in its own 30 seconds, and in those before and after', () => {
  const at = (seconds: number) => findStep(secret, codeAt(secret, 100), seconds * 1000);
  for (const seconds of [2970, 3000, 3029.999, 3030, 3059.999]) assert.equal(at(seconds), 100);
  for (const seconds of [2969.999, 3060, 60, 1e9]) assert.equal(at(seconds), undefined);
});

test('a code may have spaces, and nothing else', () => {
  const code = codeAt(secret, 100);
  const find = (typed: string) => findStep(secret, typed, 3_000_000);
  assert.equal(find(` ${code.slice(0, 3)} ${code.slice(3)} `), 100);
  const others = ['', code.slice(1), `${code}0`, `+${code}`, `-${code}`, `${code}.0`, '٦٥٣٤٣٢', 'abcdef', '\0'];
  for (const typed of others) assert.equal(find(typed), undefined, typed);
});

test('base32 is that of RFC 4648, and can have the alphabet of Crockford', () => {
  assert.equal(toBase32(Buffer.from('fooba'), rfc4648), 'MZXW6YTB');
  assert.equal(toBase32(secret, rfc4648), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
  assert.equal(toBase32(Buffer.alloc(5, 0xff), rfc4648), '77777777');
  assert.equal(toBase32(Buffer.from('fooba'), crockford), 'CSQPYRK1');
});
