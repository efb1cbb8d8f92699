import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPassword, readTotp } from '../../../src/commands/keycloak/credentials.ts';
import { parseStoredPassword } from '../../../src/core/passwords/schemes/stored-password.ts';
import { ChangeRefused } from '../../../src/core/users/change-refused.ts';
import { appSecret, otp, pbkdf2 } from './realm.ts';

const password = 'Pässword';

test('hashes of PBKDF2 match their passwords, whatever the length of the key', () => {
  for (const [algorithm, digest] of [
    ['pbkdf2', 'sha1'],
    ['pbkdf2-sha256', 'sha256'],
    ['pbkdf2-sha512', 'sha512'],
  ] as const)
    for (const length of [20, 32, 64]) {
      const { hash = '' } = readPassword(pbkdf2(password, digest, algorithm, 1000, length));
      const stored = parseStoredPassword(hash);
      assert.ok(stored.state !== 'broken', `${algorithm} ${length}`);
      assert.equal(stored.matches(Buffer.from(password)), true, `${algorithm} ${length}`);
      assert.equal(stored.matches(Buffer.from('password')), false);
    }
  // 1,300,000 iterations are Keycloak's own number. With all 64 bytes they would cost more than Janua computes.
  assert.match(
    readPassword(pbkdf2(password, 'sha1', 'pbkdf2', 1_300_000)).hash ?? '',
    /^\$pbkdf2-sha1\$i=1300000,l=20\$/,
  );
});

test('a hash of argon2 is taken with its costs', () => {
  const argon2 = (parameters: object, hashIterations = 5) => ({
    secretData: JSON.stringify({
      value: 'P792x8BfpxDt/lWel2AW/TvvYM2Wvu2Yd3r+w/0MlkE=',
      salt: '/b9tRxfp729p+WbsT27r7A==',
    }),
    credentialData: JSON.stringify({
      ...{ hashIterations, algorithm: 'argon2' },
      additionalParameters: {
        ...{ hashLength: ['32'], memory: ['7168'], type: ['id'], version: ['1.3'], parallelism: ['1'] },
        ...parameters,
      },
    }),
  });
  const tail = '/b9tRxfp729p+WbsT27r7A$P792x8BfpxDt/lWel2AW/TvvYM2Wvu2Yd3r+w/0MlkE';
  for (const [parameters, expected] of [
    [{}, `$argon2id$v=19$m=7168,t=5,p=1$${tail}`],
    [{ type: ['i'], version: ['1.0'] }, `$argon2i$v=16$m=7168,t=5,p=1$${tail}`],
    [{ memory: ['999999999'] }, undefined],
    [{ memory: [] }, undefined],
    [{ type: ['$id$'] }, undefined],
  ] as const)
    assert.deepEqual(readPassword(argon2(parameters)), {
      ...(expected && { hash: expected }),
      algorithm: 'argon2',
    });
  assert.throws(() => readPassword(argon2({ memory: 7 })), ChangeRefused);
});

test('a hash that Janua cannot compute is told by its algorithm', () => {
  const long = pbkdf2(password);
  for (const credential of [
    pbkdf2(password, 'sha256', 'bcrypt'),
    pbkdf2(password, 'sha256', '__proto__'),
    pbkdf2(password, 'sha256', 'pbkdf2-sha256', 1000, 8),
    { ...long, credentialData: JSON.stringify({ hashIterations: 0, algorithm: 'pbkdf2' }) },
    { ...long, credentialData: JSON.stringify({ hashIterations: 99_000_000, algorithm: 'pbkdf2' }) },
    { ...long, secretData: JSON.stringify({ value: '!', salt: 'AAAA' }) },
    { ...long, secretData: JSON.stringify({ ...JSON.parse(long.secretData), salt: '' }) },
    // Longer than the column.
    { ...long, secretData: JSON.stringify({ ...JSON.parse(long.secretData), salt: 'A'.repeat(1000) }) },
  ])
    assert.equal(readPassword(credential).hash, undefined, JSON.stringify(credential));
  for (const credential of [
    {},
    { ...long, secretData: '{' },
    { ...long, secretData: 'null' },
    { ...long, secretData: '{"value":1}' },
    { ...long, credentialData: '{"hashIterations":"5"}' },
    { ...long, credentialData: '{"hashIterations":1e300}' },
  ])
    assert.throws(() => readPassword(credential), ChangeRefused, JSON.stringify(credential));
});

test('the secret of an app is taken if it makes the codes that Janua computes', () => {
  const createdAt = 1_700_000_000_000;
  assert.deepEqual(readTotp(otp()), { secret: Buffer.from(appSecret), createdAt });
  const base32 = { secretEncoding: 'BASE32' };
  // RFC 4648 10, repeated.
  assert.deepEqual(readTotp(otp(base32, 'MZXW6YTBMZXW6YTBMZXW6YTBMZXW6YTB')), {
    secret: Buffer.from('foobafoobafoobafooba'),
    createdAt,
  });
  for (const [data, value] of [
    [{ subType: 'hotp' }],
    [{ digits: 8 }],
    [{ period: 60 }],
    [{ algorithm: 'HmacSHA256' }],
    [{ secretEncoding: 'HEX' }],
    [{}, 'short'],
    [{}, 'x'.repeat(129)],
    [base32, 'MZXW1YTBMZXW6YTBMZXW6YTBMZXW6YTB'],
  ] as const)
    assert.equal(readTotp(otp(data, value)), undefined, JSON.stringify([data, value]));
  assert.throws(() => readTotp(otp({ digits: '6' })), ChangeRefused);
  assert.throws(() => readTotp(otp({}, 7)), ChangeRefused);
});
