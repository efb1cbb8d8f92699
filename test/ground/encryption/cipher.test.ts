import assert from 'node:assert/strict';
import { createDecipheriv, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createCipher, decrypt, encrypt } from '../../../src/ground/encryption/cipher.ts';
import { createMemoryKeys } from '../../../src/ground/encryption/keys.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';

const secret = Buffer.from('canary-secret');

function open() {
  const keys = createMemoryKeys();
  const lines: string[] = [];
  const log = { error: (details: object, message: string) => void lines.push(JSON.stringify({ ...details, message })) };
  return { keys, lines, cipher: createCipher(keys, log) };
}

describe('an encrypted secret', () => {
  test('is decrypted at its own place, and nowhere else', async () => {
    const { cipher, lines } = open();
    await cipher.prepare(async () => true);
    const sealed = cipher.encrypt(secret, 'row 1');
    assert.deepEqual(cipher.decrypt(sealed, 'row 1'), secret);
    assert.equal(cipher.decrypt(sealed, 'row 2'), undefined);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /"event":"secret_unreadable".*cannot be decrypted/);
    assert.doesNotMatch(lines[0] ?? '', /canary/);
  });

  test('is refused if any character was changed, or some are missing', () => {
    const key = randomBytes(32);
    const sealed = encrypt(key, secret, 'row 1');
    for (const [index, character] of [...sealed].entries()) {
      const changed = `${sealed.slice(0, index)}${character === 'A' ? 'Q' : 'A'}${sealed.slice(index + 1)}`;
      assert.throws(() => decrypt([key], changed, 'row 1'), Error, changed);
    }
    for (const text of ['', '1', sealed.slice(0, 9), sealed.slice(0, 20), sealed.slice(0, -4)])
      assert.throws(() => decrypt([key], text, 'row 1'), Error, text);
  });

  test('differs each time, and does not show the secret or the key', () => {
    const key = randomBytes(32);
    const sealed = Array.from({ length: 1000 }, () => encrypt(key, secret, 'row 1'));
    assert.equal(new Set(sealed.map((text) => text.slice(9, 25))).size, 1000);
    for (const text of sealed) {
      const bytes = Buffer.from(text.slice(9), 'base64url');
      assert.ok(!bytes.includes(secret) && !bytes.includes(key.subarray(0, 4)));
    }
    // A process that counted its nonces would begin with those of another one.
    const nonces = sealed.map((text) => Buffer.from(text.slice(9), 'base64url').subarray(0, 12));
    for (let index = 0; index < 12; index += 1)
      assert.ok(new Set(nonces.map((nonce) => nonce[index])).size > 128, `byte ${index} is random`);
  });

  test('is a nonce, the secret in AES-256-GCM, and a tag', () => {
    const key = randomBytes(32);
    const sealed = Buffer.from(encrypt(key, secret, 'row 1').slice(9), 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from('row 1')).setAuthTag(sealed.subarray(-16));
    assert.deepEqual(Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]), secret);
  });

  test('is decrypted by the key before a rotation, but not by the one before that', async () => {
    const { cipher, keys } = open();
    await cipher.prepare(async () => true);
    const sealed = cipher.encrypt(secret, 'row 1');
    keys.rotate();
    assert.deepEqual(cipher.decrypt(sealed, 'row 1'), secret);
    assert.deepEqual(cipher.decrypt(cipher.encrypt(secret, 'row 1'), 'row 1'), secret);
    keys.rotate();
    assert.equal(cipher.decrypt(sealed, 'row 1'), undefined);
  });
});

test('a key is made only where nothing was encrypted before', async () => {
  const { cipher, keys, lines } = open();
  assert.throws(() => cipher.encrypt(secret, 'row 1'), Unavailable);
  await assert.rejects(
    cipher.prepare(async () => false),
    Unavailable,
  );
  assert.deepEqual(keys.read(), []);
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /"event":"encryption_unavailable".*The encryption key is missing/);
  await cipher.prepare(async () => true);
  const made = keys.read();
  assert.deepEqual(
    made.map(({ length }) => length),
    [32],
  );
  await cipher.prepare(() => assert.fail('there is a key'));
  assert.deepEqual(keys.read(), made);
});
