import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash, parseOptions } from '@node-rs/argon2';
import { createPasswords } from '../../../src/core/passwords/passwords.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { check, hashOf } from './in-turn.ts';

const warnings: object[] = [];
const passwords = createPasswords({
  concurrency: 2,
  queue: 100,
  rehashes: true,
  log: { warn: (details) => warnings.push(details) },
});

const weak = (options: object) => hash('secret', { memoryCost: 64, timeCost: 1, ...options });

test("a new hash is argon2id at today's cost, with a new salt each time", async () => {
  const [first, second] = [await hashOf(passwords, 'secret'), await hashOf(passwords, 'secret')];
  assert.notEqual(first, second);
  assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal(parseOptions(first).saltLen, 16);
  assert.deepEqual(await check(passwords, first, 'secret'), { matches: true, replacement: undefined });
  assert.equal((await check(passwords, first, 'Secret')).matches, false);
});

test('a password of more than 1024 bytes of UTF-8 is not hashed', async () => {
  for (const [password, matches] of [
    ['é'.repeat(512), true],
    ['é'.repeat(513), false],
  ] as const)
    assert.equal(
      (await check(passwords, await hash(password, { memoryCost: 64, timeCost: 1 }), password)).matches,
      matches,
    );
});

describe('a weaker stored hash', () => {
  const seed = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';

  test('with the cost of the demo is replaced, but not after a wrong password', async () => {
    const { matches, replacement } = await check(passwords, seed, 'password');
    assert.ok(matches);
    assert.match(String(replacement), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    assert.ok((await check(passwords, replacement, 'password')).matches);
    assert.deepEqual(await check(passwords, seed, 'Password'), { matches: false, replacement: undefined });
  });

  for (const [name, options] of [
    ['argon2i', { algorithm: 1, memoryCost: 19_456, timeCost: 3 }],
    ['argon2d', { algorithm: 0, memoryCost: 19_456, timeCost: 3 }],
    ['one pass', { memoryCost: 19_456, timeCost: 1 }],
    ['little memory, many passes', { memoryCost: 4096, timeCost: 12 }],
    ['version 16', { version: 0, memoryCost: 19_456, timeCost: 2 }],
  ] as const) {
    test(`with ${name} is replaced`, async () => {
      const { matches, replacement } = await check(passwords, await weak(options), 'secret');
      assert.ok(matches);
      assert.ok(replacement !== undefined);
    });
  }
});

describe('an equal or stronger stored hash is kept', () => {
  for (const options of [
    { memoryCost: 47_104, timeCost: 1 },
    { memoryCost: 12_288, timeCost: 4 },
    { memoryCost: 65_536, timeCost: 3, parallelism: 4 },
  ]) {
    test(JSON.stringify(options), async () => {
      assert.deepEqual(await check(passwords, await weak(options), 'secret'), {
        matches: true,
        replacement: undefined,
      });
    });
  }
});

describe('a stored hash that is malformed or too costly counts as a wrong password, and is logged', () => {
  const good = '$argon2id$v=19$m=19456,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';
  for (const stored of [
    '',
    'secret',
    '$argon2id$',
    good.slice(0, -5),
    good.slice(0, good.lastIndexOf('$')),
    good.replace('m=19456', 'm=4294967295'),
    good.replace('m=19456', 'm=204800'),
    good.replace('t=2', 't=4294967295'),
    good.replace('t=2', 't=14'),
    good.replace('p=1', 'p=255'),
    good.replace('m=19456', 'm=1'),
    good.replace('v=19', 'v=99'),
    `${good}\0`,
    good.replace('argon2id', 'argon2x'),
    '$2b$16$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW',
    'x'.repeat(100_000),
  ]) {
    test(JSON.stringify(stored.slice(0, 40)), async () => {
      warnings.length = 0;
      assert.deepEqual(await check(passwords, stored, 'secret'), { matches: false, replacement: undefined });
      assert.equal(warnings.length, 1);
      assert.doesNotMatch(JSON.stringify(warnings), /"secret"|b2szcWQ4/);
    });
  }
});

test('a blank password matches neither a missing nor an empty hash', async () => {
  for (const stored of [undefined, '', ' '])
    for (const blank of ['', ' ', '\t', '\0', 'undefined', 'null'])
      assert.equal((await check(passwords, stored, blank)).matches, false, JSON.stringify([stored, blank]));
});

test('a failure costs the same work for a missing, cheap, broken or current hash', async () => {
  const cases = [undefined, await weak({}), 'broken', await hashOf(passwords, 'other')];
  const spent: number[][] = cases.map(() => []);
  for (let round = 0; round < 9; round++) {
    for (const [index, stored] of cases.entries()) {
      const start = process.cpuUsage();
      await check(passwords, stored, 'wrong');
      const { user, system } = process.cpuUsage(start);
      spent[index]?.push(user + system);
    }
  }
  const medians = spent.map((times) => times.sort((a, b) => a - b)[4] ?? 0);
  const least = Math.min(...medians);
  // Not a timing test: a case that skips the work takes a hundredth of the time.
  assert.ok(least > Math.max(...medians) / 4, medians.join(', '));
});

describe('passwords are compared exactly as sent', () => {
  for (const secret of [
    'x'.repeat(64),
    'x'.repeat(128),
    '        ',
    '🔑'.repeat(20),
    'пароль с пробелом',
    'a\0b',
    'é',
    'e\u0301',
    '密码'.repeat(50),
  ]) {
    test(JSON.stringify(secret.slice(0, 20)), async () => {
      const stored = await hashOf(passwords, secret);
      assert.ok((await check(passwords, stored, secret)).matches);
      for (const other of [
        `${secret} `,
        secret.slice(0, -1),
        `${secret.slice(0, -1)}y`,
        secret.normalize('NFD') + secret.normalize('NFC'),
        ...[secret.toUpperCase()].filter((other) => other !== secret),
      ]) {
        assert.equal((await check(passwords, stored, other)).matches, false);
      }
    });
  }
});

test('hashing has a bounded queue, refuses further work at once, and logs the full queue once', async () => {
  const logged: object[] = [];
  const log = { warn: (details: object) => logged.push(details) };
  let threads = 0;
  const count = () => void threads++;
  process.on('worker', count);
  const bounded = createPasswords({ concurrency: 1, queue: 2, rehashes: true, log });
  // A new password waits in the same queue.
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? check(bounded, undefined, 'x') : hashOf(bounded, 'x'))),
  );
  process.off('worker', count);
  assert.equal(threads, 1, 'one thread computes all hashes');
  assert.deepEqual(logged, [{ event: 'hashing_queue_full', queue: 2 }]);
  const refused = results.filter(({ status }) => status === 'rejected');
  // Three have a turn, and two wait.
  assert.equal(refused.length, 5);
  for (const result of refused) assert.ok(result.status === 'rejected' && result.reason instanceof Unavailable);
  assert.equal((await check(bounded, undefined, 'x')).matches, false, 'the next password is checked again');
});

describe('the failure floor', () => {
  const create = () =>
    createPasswords({ concurrency: 1, queue: 100, rehashes: true, log: { warn: (details) => warnings.push(details) } });
  const bcrypt = (cost: string) => `$2b$${cost}$seasaltseasaltseasaltOQfF80o/rjzn2fmGZuulVA5HaC6IUAoG`;
  const pbkdf2 = (iterations: number) => `pbkdf2:sha1:${iterations}$salt$${'00'.repeat(20)}`;

  async function elapsed(work: Promise<unknown>): Promise<number> {
    const start = performance.now();
    await work;
    return performance.now() - start;
  }

  test('is 0 at first, then covers a failure for an unknown user', async () => {
    const subject = create();
    assert.equal(subject.failureFloor(), 0);
    // The first check has to wait for its thread.
    const first = await elapsed(check(subject, undefined, 'x'));
    // On a busy machine, the answer may come long after the hash was computed.
    let computing = 0;
    const second = await elapsed(
      computed(check(subject, undefined, 'x')).then((milliseconds) => {
        computing = milliseconds;
      }),
    );
    assert.ok(subject.failureFloor() >= computing / 2);
    assert.ok(subject.failureFloor() < Math.max(first, second) * 4);
  });

  test('covers the slowest kind of hash so far, and the extra work of a failure', async () => {
    const subject = create();
    await check(subject, undefined, 'x');
    const dearest = await elapsed(check(subject, bcrypt('11'), 'x'));
    await check(subject, bcrypt('04'), 'x');
    await check(subject, undefined, 'x');
    assert.ok(subject.failureFloor() >= dearest);
  });

  test('does not include the wait for other hashes', async () => {
    const subject = create();
    const all = await elapsed(Promise.all(Array.from({ length: 20 }, () => check(subject, undefined, 'x'))));
    assert.ok(subject.failureFloor() < all / 4);
  });

  test('is not lowered by successes, which are faster without rehashing', async () => {
    const subject = createPasswords({ concurrency: 1, queue: 100, rehashes: false, log: { warn: () => {} } });
    await check(subject, bcrypt('04'), 'wrong');
    const floor = subject.failureFloor();
    for (let time = 0; time < 9; time++) assert.ok((await check(subject, bcrypt('04'), 'lètmein')).matches);
    assert.equal(subject.failureFloor(), floor);
  });

  /** Milliseconds of processor time. Other programs do not prolong it, and it is never more than the time that elapses. */
  async function computed(work: Promise<unknown>): Promise<number> {
    const start = process.cpuUsage();
    await work;
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  }

  test('is measured before the first login, with the slowest kind in a sample of hashes', async () => {
    const [cheap, dear, other] = [create(), create(), create()];
    // The first calibration starts the thread, which takes processor time of its own.
    for (const subject of [dear, other]) await subject.calibrate([]);
    const start = performance.now();
    await cheap.calibrate([]);
    const ofCheap = await computed(cheap.calibrate([pbkdf2(1)]));
    const elapsedOfCheap = performance.now() - start;
    await dear.calibrate([
      bcrypt('04'),
      bcrypt('04'),
      bcrypt('12'),
      ...Array.from({ length: 20 }, (_, i) => pbkdf2(i + 1)),
    ]);
    const failures = [await computed(check(other, bcrypt('12'), 'x')), await computed(check(other, bcrypt('12'), 'x'))];
    const failure = Math.min(...failures);
    assert.ok(dear.failureFloor() > failure, `${dear.failureFloor()} for ${failures}`);
    assert.ok(ofCheap < failure, `${ofCheap} for ${failures}`);
    assert.ok(cheap.failureFloor() > 0 && cheap.failureFloor() < elapsedOfCheap);
  });

  test('is that of an unknown user without a sample', async () => {
    const subject = create();
    await subject.calibrate([]);
    const floor = subject.failureFloor();
    assert.ok(floor > 0);
  });

  test('is measured for only a few kinds at the start, without logging unusable hashes', async () => {
    warnings.length = 0;
    const subject = create();
    await check(subject, undefined, 'x');
    const many = Array.from({ length: 100 }, (_, i) => pbkdf2(200_000 + i));
    // CPU, because other work on the machine makes one of them wait.
    const spent = async (work: Promise<unknown>) => {
      const before = process.cpuUsage().user;
      await work;
      return process.cpuUsage().user - before;
    };
    const one = await spent(check(subject, many[0], 'x'));
    const all = await spent(
      subject.calibrate([...many, ...many, ...Array<string>(500).fill(bcrypt('10')), 'x', '$1$a$b', bcrypt('31')]),
    );
    assert.ok(all < one * 30, `${all} for ${one}`);
    assert.deepEqual(warnings, []);
  });
});
