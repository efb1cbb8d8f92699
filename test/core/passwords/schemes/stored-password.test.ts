import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPasswords } from '../../../../src/core/passwords/passwords.ts';
import { parseStoredPassword } from '../../../../src/core/passwords/schemes/stored-password.ts';
import { check } from '../in-turn.ts';

const secret = 'lètmein';
/** 1024 bytes. */
const long = 'пароль🔑'.repeat(64);

/** Name, scheme, password, stored hash. */
const vectors: readonly (readonly [name: string, scheme: string, password: string, stored: string])[] = [
  // The argon2 command of its authors: printf 'lètmein' | argon2 seasaltseasalt -id -k 64 -t 2 -p 1 -l 32 -e
  [
    'argon2i',
    'argon2i',
    secret,
    '$argon2i$v=19$m=64,t=2,p=1$c2Vhc2FsdHNlYXNhbHQ$E3uKZoA8i7Mj/ZkRZMPt00gsb+yZ12/gkFkYklrL1Ns',
  ],
  [
    'argon2d',
    'argon2d',
    secret,
    '$argon2d$v=19$m=64,t=2,p=1$c2Vhc2FsdHNlYXNhbHQ$q6bhPnzkiGz3pJG8Qmt3ep4ZF4i4UomtPSg/SQ4YZuM',
  ],
  [
    'argon2id',
    'argon2id',
    secret,
    '$argon2id$v=19$m=64,t=2,p=1$c2Vhc2FsdHNlYXNhbHQ$GTEsL97+7VGL1phhhUvVfDU00EFisgg2FFXCemifFkM',
  ],
  ['argon2, version 16', 'argon2i', secret, '$argon2i$v=16$m=64,t=3,p=2$c2Vhc2FsdHNlYXNhbHQ$T2na/00XgsT2BNo9Gohq2A'],
  // Django stores argon2's own string behind "argon2".
  [
    'argon2, Django',
    'argon2id',
    secret,
    'argon2$argon2id$v=19$m=64,t=2,p=1$c2Vhc2FsdHNlYXNhbHQ$GTEsL97+7VGL1phhhUvVfDU00EFisgg2FFXCemifFkM',
  ],

  // libxcrypt, by Python's crypt.crypt('lètmein', '$2a$04$seasaltseasaltseasaltO')
  ['bcrypt 2a', 'bcrypt', secret, '$2a$04$seasaltseasaltseasaltOQfF80o/rjzn2fmGZuulVA5HaC6IUAoG'],
  ['bcrypt 2b', 'bcrypt', secret, '$2b$04$seasaltseasaltseasaltOQfF80o/rjzn2fmGZuulVA5HaC6IUAoG'],
  // Apache: htpasswd -nbB -C 4 u lètmein
  ['bcrypt 2y, Apache', 'bcrypt', secret, '$2y$04$vL.pPN4kDPnp0hmI8y.oWe8xCzAXpcT0vlzqX/D5jDEUDRKphL6pe'],
  // The example of FastAPI's documentation, made by passlib.
  ['bcrypt, FastAPI', 'bcrypt', 'secret', '$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'],
  ['bcrypt, Django', 'bcrypt', secret, 'bcrypt$$2b$04$seasaltseasaltseasaltOQfF80o/rjzn2fmGZuulVA5HaC6IUAoG'],

  // Python: hashlib.scrypt(password, salt=bytes(range(240, 256)), n=1024, r=8, p=1, dklen=32), base64 without padding
  [
    'scrypt, PHC',
    'scrypt',
    secret,
    '$scrypt$ln=10,r=8,p=1$8PHy8/T19vf4+fr7/P3+/w$F6X36dufNvZukYiHbDppSZ4QxMLh0MJmOT3j+XQMaM0',
  ],
  [
    'scrypt, ab64',
    'scrypt',
    secret,
    '$scrypt$ln=10,r=8,p=1$8PHy8/T19vf4.fr7/P3./w$F6X36dufNvZukYiHbDppSZ4QxMLh0MJmOT3j.XQMaM0',
  ],
  [
    'scrypt, PHC, long',
    'scrypt',
    long,
    '$scrypt$ln=10,r=8,p=1$8PHy8/T19vf4+fr7/P3+/w$RXUQluP1absTTFvYodYTkjat1DvpB1HagVH/zHVMuEo',
  ],
  // The example of passlib's documentation.
  [
    'scrypt, passlib',
    'scrypt',
    'password',
    '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
  ],
  // Django's own test (tests/auth_tests/test_hashers.py); the next as Python's hashlib.scrypt makes it, p=5 as Django's default.
  [
    'scrypt, Django',
    'scrypt',
    secret,
    'scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==',
  ],
  [
    'scrypt, Django, p=5',
    'scrypt',
    secret,
    'scrypt$1024$seasalt$8$5$ozpUt/qDR/QLBzi9csaWJofO252yHC+Oxl5cycNUQkna/BBjumDq5KMXPAq1Xi3sxxGWxqtAlQmEE+DSWNl+FQ==',
  ],
  [
    'scrypt, Django, long',
    'scrypt',
    long,
    'scrypt$1024$seasalt$8$5$2E9dqc9NuQBE775RQ6GiwCccRKL3vo9xOMXR+AP7MLXr7ySxPIDOHUANxJaLMgEHqR8cd2UxrLebRTwrAWqgvg==',
  ],
  // RFC 7914 section 12, second vector, written as Django would.
  [
    'scrypt, RFC 7914',
    'scrypt',
    'password',
    'scrypt$1024$NaCl$8$16$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA==',
  ],
  // Werkzeug 3.1 itself, with this salt.
  [
    'scrypt, Werkzeug',
    'scrypt',
    secret,
    'scrypt:1024:8:1$seasalt$faa3b68d391551b3cd96789390763dea575224ab3853459089ff146d695f3b7c090cd84a3a0fa93ed0dc9224fa670d2a904bca210d4c74e35f1b1b16ae9a2236',
  ],

  // Python: hashlib.pbkdf2_hmac(digest, password, salt, 1000), in each of the encodings; SHA-256 checked with `openssl kdf`.
  ['PBKDF2, Django, SHA-1', 'pbkdf2-sha1', secret, 'pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I='],
  [
    'PBKDF2, Django, SHA-256',
    'pbkdf2-sha256',
    secret,
    'pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=',
  ],
  [
    'PBKDF2, Django, SHA-512',
    'pbkdf2-sha512',
    secret,
    'pbkdf2_sha512$1000$seasalt$MvpYzRb9t8IHUO1U7cCcGPfI+JLcFRBOUbkty+vHmXzMoGO3EGn5ZDxFwkkOHVT55Elz3Qczs2+FNpDKUjv/RA==',
  ],
  [
    'PBKDF2, Django, long',
    'pbkdf2-sha256',
    long,
    'pbkdf2_sha256$1000$seasalt$NVv+7cPATV/ic0dNMZ5o2Gx4atTNZzGK/s1ELwDyKps=',
  ],
  ['PBKDF2, passlib, SHA-1', 'pbkdf2-sha1', secret, '$pbkdf2$1000$8PHy8/T19vf4.fr7/P3./w$2dR7RQBzM8AucQZS9jFU./.ZRBA'],
  [
    'PBKDF2, passlib, SHA-256',
    'pbkdf2-sha256',
    secret,
    '$pbkdf2-sha256$1000$8PHy8/T19vf4.fr7/P3./w$NLCxhEx13MijqfW7prAglClHI.JU.g8ztpZ9vKGmT6s',
  ],
  [
    'PBKDF2, passlib, SHA-512',
    'pbkdf2-sha512',
    secret,
    '$pbkdf2-sha512$1000$8PHy8/T19vf4.fr7/P3./w$G38.kKPBMjhq6JujX0e7u7RNAFJTRe7Cj3TBITWP4weBT/.cgn35E3NdvJUwKJnWFeLB2iwIl1HxKJw4Dfd2GQ',
  ],
  [
    'PBKDF2, passlib, long',
    'pbkdf2-sha512',
    long,
    '$pbkdf2-sha512$1000$8PHy8/T19vf4.fr7/P3./w$uJIB345yboH6CZasB/8cu5Jd6w5ueLVC7uK.3oGczasf8H9fqIownmceFLdXwSiJXKkS6INmNkLoGzrTbOwmvg',
  ],
  [
    'PBKDF2, PHC, SHA-256',
    'pbkdf2-sha256',
    secret,
    '$pbkdf2-sha256$i=1000,l=32$8PHy8/T19vf4+fr7/P3+/w$NLCxhEx13MijqfW7prAglClHI+JU+g8ztpZ9vKGmT6s',
  ],
  [
    'PBKDF2, PHC, half a block',
    'pbkdf2-sha256',
    secret,
    '$pbkdf2-sha256$i=1000,l=16$8PHy8/T19vf4+fr7/P3+/w$NLCxhEx13MijqfW7prAglA',
  ],
  [
    'PBKDF2, PHC, two blocks',
    'pbkdf2-sha256',
    secret,
    '$pbkdf2-sha256$i=1000,l=64$8PHy8/T19vf4+fr7/P3+/w$NLCxhEx13MijqfW7prAglClHI+JU+g8ztpZ9vKGmT6uyy8YtF2BRGEt9AHLHFfH6lF3Vn3JpJ0Yl8FzVKJJNLg',
  ],
  [
    'PBKDF2, PHC, SHA-512',
    'pbkdf2-sha512',
    secret,
    '$pbkdf2-sha512$i=1000$8PHy8/T19vf4+fr7/P3+/w$G38+kKPBMjhq6JujX0e7u7RNAFJTRe7Cj3TBITWP4weBT/+cgn35E3NdvJUwKJnWFeLB2iwIl1HxKJw4Dfd2GQ',
  ],
  // RFC 6070, third vector, as the tests of npm's @phc/pbkdf2 write it.
  ['PBKDF2, RFC 6070', 'pbkdf2-sha1', 'password', '$pbkdf2-sha1$i=4096$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE'],
  // The example of hashcat's mode 20400, made by passlib.
  ['PBKDF2, hashcat', 'pbkdf2-sha1', 'hashcat', '$pbkdf2$131000$r5WythYixPgfQ2jt3buXcg$8Kdr.QQEOaZIXNOrrru36I/.6Po'],
  // Werkzeug 3.1 itself, with this salt.
  [
    'PBKDF2, Werkzeug, SHA-1',
    'pbkdf2-sha1',
    secret,
    'pbkdf2:sha1:1000$seasalt$96395e538c01993b73fcca06e584f0c6933477b2',
  ],
  [
    'PBKDF2, Werkzeug, SHA-256',
    'pbkdf2-sha256',
    secret,
    'pbkdf2:sha256:1000$seasalt$26066bc977b619af32b20e976f390ba537723d0ac7aac8a76cbf419e78605f80',
  ],
  [
    'PBKDF2, Werkzeug, SHA-512',
    'pbkdf2-sha512',
    secret,
    'pbkdf2:sha512:1000$seasalt$32fa58cd16fdb7c20750ed54edc09c18f7c8f892dc15104e51b92dcbebc7997ccca063b71069f9643c45c2490e1d54f9e44973dd0733b36f853690ca523bff44',
  ],
];

const warnings: object[] = [];
const passwords = createPasswords({
  concurrency: 2,
  queue: 100,
  rehashes: true,
  log: { warn: (details) => warnings.push(details) },
});

const matches = async (stored: string, password: string) => {
  const parsed = parseStoredPassword(stored);
  return parsed.state !== 'broken' && (await parsed.matches(Buffer.from(password)));
};

for (const [name, scheme, password, stored] of vectors) {
  describe(name, () => {
    test('the right password matches the hash and its replacement, and a wrong password does not', async () => {
      const { matches, replacement } = await check(passwords, stored, password);
      assert.ok(matches);
      assert.deepEqual(await check(passwords, replacement, password), { matches: true, replacement: undefined });
      for (const wrong of [`x${password}`, password.slice(1), password.toUpperCase(), password.normalize('NFD'), ''])
        if (wrong !== password)
          assert.deepEqual(await check(passwords, stored, wrong), { matches: false, replacement: undefined });
      assert.equal(parseStoredPassword(stored).scheme, scheme);
    });

    test('a hash that is cut or extended does not match', async () => {
      for (let length = 0; length < stored.length; length++)
        assert.equal(await matches(stored.slice(0, length), password), false, String(length));
      for (const behind of ['=', '$', 'A', '\0', '\n', ' ', '00', 'AAAA'])
        assert.equal(await matches(`${stored}${behind}`, password), false, behind);
    });

    test('a hash with another last character does not match', async () => {
      const end = /[^=](?==*$)/;
      const others = [...'./+0123456789ABCYZabcyz'].filter((other) => other !== end.exec(stored)?.[0]);
      // Too slow to compute that often.
      if (/ln=16|\$12\$|16384/.test(stored)) return;
      for (const other of others) assert.equal(await matches(stored.replace(end, other), password), false, other);
    });
  });
}

test("an argon2id hash as strong as today's is kept, even with Django's prefix", async () => {
  // printf 'lètmein' | argon2 seasaltseasalt16 -id -k 102400 -t 2 -p 8 -l 32 -e: Django's default cost.
  const stored = '$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdHNlYXNhbHQxNg$IpzUfa/cTWN058uNWdOQk+jX2A/9qzKJWqxbDC5Akjk';
  for (const kept of [stored, `argon2${stored}`])
    assert.deepEqual(await check(passwords, kept, secret), { matches: true, replacement: undefined });
});

describe('bcrypt', () => {
  // libxcrypt, by Python's crypt.crypt(password, '$2b$04$seasaltseasaltseasaltO')
  const ofA = '$2b$04$seasaltseasaltseasaltOTN/iBuNlWYvWCDFmO4JDgMcAXbPrzpe';
  const ofManyX = '$2b$04$seasaltseasaltseasaltOWe9sk1YO4hK2ankIr6N9roHVpKxypZ6';
  const ofCyrillic = '$2b$04$seasaltseasaltseasaltOCA9IiYXPrwoVpClwocsm7GXmxd1UbBS';

  test('compares only the first 72 bytes, as other systems do', async () => {
    for (const length of [72, 73, 200, 1024]) assert.ok(await matches(ofManyX, 'x'.repeat(length)), String(length));
    assert.equal(await matches(ofManyX, 'x'.repeat(71)), false);
    assert.equal(await matches(ofManyX, `${'x'.repeat(71)}y`), false);
    assert.ok(await matches(ofCyrillic, long), 'the limit counts bytes, not characters');
    assert.equal(await matches(ofCyrillic, long.slice(0, 35)), false);
  });

  test('gets a replacement that covers the whole of a long password', async () => {
    const { replacement } = await check(passwords, ofManyX, 'x'.repeat(100));
    assert.ok((await check(passwords, replacement, 'x'.repeat(100))).matches);
    assert.equal((await check(passwords, replacement, 'x'.repeat(72))).matches, false);
  });

  test('does not end a password at a NUL byte', async () => {
    assert.ok(await matches(ofA, 'a'));
    for (const other of ['a\0', 'a\0b', '\0a', '\0', '']) assert.equal(await matches(ofA, other), false, other);
    // The algorithm repeats the password and its NUL up to 72 bytes. These two passwords give the same key.
    assert.ok(await matches(ofA, 'a\0a'));
  });

  test('refuses the faulty $2x$, a cost that is not two digits, and spare bits in the salt', async () => {
    for (const stored of [
      ofA.replace('2b', '2x'),
      ofA.replace('$04', '$+4'),
      ofA.replace('$04', '$4'),
      ofA.replace('tO', 'tP'),
    ])
      assert.equal(parseStoredPassword(stored).state, 'broken', stored);
  });
});

const filler = (length: number) => 'A'.repeat(length);
const argon2 = (costs: string) => `$argon2id$v=19$${costs}$${filler(22)}$${filler(43)}`;
const bcrypt = (cost: string) => `$2b$${cost}$${'.'.repeat(53)}`;
const phcScrypt = (costs: string) => `$scrypt$${costs}$${filler(22)}$${filler(43)}`;
const djangoScrypt = (n: string, r: string, p: string) => `scrypt$${n}$salt$${r}$${p}$${filler(86)}==`;
const werkzeugScrypt = (costs: string) => `scrypt:${costs}$salt$${'0'.repeat(128)}`;
const werkzeugPbkdf2 = (digest: string, iterations: string, bytes: number) =>
  `pbkdf2:${digest}:${iterations}$salt$${'00'.repeat(bytes)}`;
const phcPbkdf2 = (digest: string, costs: string, characters: number) =>
  `$pbkdf2-${digest}$${costs}$${filler(22)}$${filler(characters)}`;

test('a hash at the limit of the cost is computed', () => {
  for (const stored of [
    argon2('m=131072,t=2,p=16'),
    argon2('m=4096,t=64,p=1'),
    bcrypt('04'),
    bcrypt('15'),
    phcScrypt('ln=17,r=8,p=2'),
    djangoScrypt('2', '1', '1'),
    djangoScrypt('16384', '8', '16'),
    werkzeugScrypt('131072:8:1'),
    werkzeugPbkdf2('sha256', '5000000', 32),
    werkzeugPbkdf2('sha1', '5000000', 20),
    werkzeugPbkdf2('sha512', '1', 64),
    phcPbkdf2('sha256', 'i=2500000,l=64', 86),
    phcPbkdf2('sha512', 'i=5000000,l=16', 22),
  ])
    assert.notEqual(parseStoredPassword(stored).state, 'broken', stored);
});

describe('a hash that is too costly or malformed is not computed', () => {
  for (const [scheme, stored] of [
    ['argon2id', argon2('m=131073,t=1,p=1')],
    ['argon2id', argon2('m=4000,t=65,p=1')],
    ['argon2id', argon2('m=19456,t=2,p=17')],
    ['argon2id', argon2('m=131072,t=3,p=1')],
    ['bcrypt', bcrypt('16')],
    ['bcrypt', bcrypt('31')],
    ['bcrypt', bcrypt('32')],
    ['bcrypt', bcrypt('99')],
    ['bcrypt', bcrypt('03')],
    ['bcrypt', bcrypt('00')],
    ['scrypt', phcScrypt('ln=18,r=8,p=1')],
    ['scrypt', phcScrypt('ln=99,r=8,p=1')],
    ['scrypt', phcScrypt('ln=0,r=8,p=1')],
    ['scrypt', phcScrypt('ln=10,r=0,p=1')],
    ['scrypt', phcScrypt('ln=10,r=8,p=0')],
    ['scrypt', phcScrypt('ln=4,r=8,p=17')],
    ['scrypt', phcScrypt('ln=17,r=8,p=3')],
    ['scrypt', phcScrypt('ln=10,r=999999999,p=1')],
    ['scrypt', phcScrypt('ln=10,r=9999999999999999999999,p=1')],
    ['scrypt', djangoScrypt('16384', '8', '17')],
    ['scrypt', djangoScrypt('16383', '8', '1')],
    ['scrypt', djangoScrypt('0', '8', '1')],
    ['scrypt', djangoScrypt('1', '8', '1')],
    ['scrypt', djangoScrypt('-16384', '8', '1')],
    ['scrypt', djangoScrypt('1e3', '8', '1')],
    ['scrypt', werkzeugScrypt('262144:8:1')],
    ['scrypt', werkzeugScrypt('32768:8')],
    ['pbkdf2-sha256', werkzeugPbkdf2('sha256', '5000001', 32)],
    ['pbkdf2-sha256', werkzeugPbkdf2('sha256', '9999999999', 32)],
    ['pbkdf2-sha256', werkzeugPbkdf2('sha256', '99999999999999999999', 32)],
    ['pbkdf2-sha256', werkzeugPbkdf2('sha256', '0', 32)],
    ['pbkdf2-sha256', werkzeugPbkdf2('sha256', '-1', 32)],
    ['pbkdf2-sha256', werkzeugPbkdf2('sha256', '1000', 31)],
    ['pbkdf2-sha256', 'pbkdf2:sha256$salt$0000'],
    ['pbkdf2-sha1', werkzeugPbkdf2('sha1', '1000', 16)],
    ['pbkdf2-sha1', werkzeugPbkdf2('sha1', '1000', 32)],
    ['pbkdf2-sha1', phcPbkdf2('sha1', 'i=1000,l=16', 22)],
    ['pbkdf2-sha256', phcPbkdf2('sha256', 'i=2500001,l=64', 86)],
    ['pbkdf2-sha256', phcPbkdf2('sha256', 'i=1000,l=15', 20)],
    ['pbkdf2-sha256', phcPbkdf2('sha256', 'i=1000,l=66', 88)],
    ['pbkdf2-sha256', phcPbkdf2('sha256', 'i=1000,l=32', 22)],
    ['pbkdf2-sha256', phcPbkdf2('sha256', 'i=1000', 22)],
    ['pbkdf2-sha512', phcPbkdf2('sha512', 'i=5000001', 86)],
  ] as const) {
    test(stored.slice(0, 40), async () => {
      assert.deepEqual(parseStoredPassword(stored), { scheme, state: 'broken' });
      const usual = await computed(undefined);
      assert.ok((await computed(stored)) < usual + 100);
    });
  }

  /** Milliseconds of processor time of a failure. Other programs do not prolong it. */
  async function computed(stored: string | undefined): Promise<number> {
    const start = process.cpuUsage();
    assert.deepEqual(await check(passwords, stored, secret), { matches: false, replacement: undefined });
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  }
});

describe('an unusable hash is logged once, with its scheme and nothing of the hash', () => {
  const rest = 'seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8';
  for (const [scheme, stored] of [
    ['$1$', `$1$${rest}`],
    ['$apr1$', `$apr1$${rest}`],
    ['$5$', `$5$rounds=5000$${rest}`],
    ['$6$', `$6$${rest}`],
    ['$7$', `$7$${rest}`],
    ['$y$', `$y$j9T$${rest}`],
    ['$gy$', `$gy$j9T$${rest}`],
    ['$sha1$', `$sha1$40000$${rest}`],
    ['$P$', `$P$B${rest}`],
    ['$H$', `$H$9${rest}`],
    ['$S$', `$S$D${rest}`],
    ['{SSHA}', `{SSHA}${rest}`],
    ['{SSHA512}', `{SSHA512}${rest}`],
    ['md5$', `md5$${rest}`],
    ['sha1$', `sha1$${rest}`],
    ['sha256$', `sha256$${rest}`],
    ['crypt$', `crypt$$${rest}`],
    ['$2x$', `$2x$04$${rest}`],
    ['$bcrypt-sha256$', `$bcrypt-sha256$v=2,t=2b,r=12$${rest}`],
    ['bcrypt_sha256$', `bcrypt_sha256$$2b$12$${rest}`],
    ['$argon2x$', `$argon2x$v=19$m=64,t=2,p=1$${rest}`],
    ['argon2id', `$argon2id$v=19$m=64,t=2,p=1$${rest}`],
    ['argon2id', `argon2$$argon2id$${rest}`.replace('$$', '$')],
    ['bcrypt', `$2b$12$${rest}`],
    ['bcrypt', `bcrypt$$2b$12$${rest}`],
    ['bcrypt$', `bcrypt$${rest}`],
    ['scrypt', `$scrypt$ln=15,r=8,p=1$${rest}`],
    ['scrypt', `scrypt$${rest}`],
    ['scrypt', `scrypt:32768:8:1$${rest}`],
    ['pbkdf2-sha256', `pbkdf2_sha256$1000$${rest}`],
    ['pbkdf2-sha1', `$pbkdf2$1000$${rest}`],
    ['pbkdf2_', `pbkdf2_md5$1000$${rest}`],
    ['$pbkdf2-md5$', `$pbkdf2-md5$1000$${rest}`],
    ['pbkdf2:', `pbkdf2:md5:1000$${rest}`],
    ['unknown', ''],
    ['unknown', '$'],
    ['unknown', `!${rest}`],
    ['unknown', 'seasalt'],
    ['unknown', 'cff36ea83f5706ce9aa7454e63e431fc726b2dc8'],
    ['unknown', `$seasalt$${rest}`],
    ['unknown', ` $1$${rest}`],
  ] as const) {
    test(`${scheme}: ${JSON.stringify(stored.slice(0, 16))}`, async () => {
      warnings.length = 0;
      assert.deepEqual(await check(passwords, stored, secret), { matches: false, replacement: undefined });
      assert.deepEqual(warnings, [{ event: 'password_hash_unusable', scheme }]);
    });
  }

  test('a usable hash is not logged', async () => {
    warnings.length = 0;
    for (const [, , , stored] of vectors) await check(passwords, stored, 'wrong');
    assert.deepEqual(warnings, []);
  });
});
