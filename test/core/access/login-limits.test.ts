import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  atOnce,
  keysOfHostToken,
  liftFailures,
  limitsOf,
  limitsOfFactor,
  type PasswordAttempt,
  policies,
} from '../../../src/core/access/login-limits.ts';
import { type Policy, waitAfter } from '../../../src/core/throttle/backoff.ts';
import { createThrottle, type Throttle } from '../../../src/core/throttle/throttle.ts';
import { createTurns } from '../../../src/ground/faults/turns.ts';
import { allFailures } from '../../capabilities/sign-in/all-failures.ts';
import { createClockedThrottle, retryAfter } from '../throttle/clocked-throttle.ts';
import { createMemoryFailureStore } from '../throttle/memory-store.ts';

const minute = 60;
const day = 24 * 60 * minute;

const fingerprint = (password: string) => password.padEnd(43, '-');

const ann = { id: 'id:of:ann', fingerprint: fingerprint('first') };

const annsAttempt: PasswordAttempt = {
  address: '192.0.2.1',
  endSite: '192.0.2.1',
  nameDigest: 'ann',
  account: ann,
  knownBrowser: undefined,
};

/** An attempt for an unknown name. */
const nobodys: PasswordAttempt = {
  address: '192.0.2.2',
  endSite: '192.0.2.2',
  nameDigest: 'nobody',
  account: undefined,
  knownBrowser: undefined,
};

const createTest = ({ waiting }: { waiting?: number } = {}) =>
  createClockedThrottle({ limitsOf, usual: annsAttempt, waiting });

const at = (address: string): Pick<PasswordAttempt, 'address' | 'endSite'> => ({ address, endSite: address });
const elsewhere = (index: number) => at(`198.51.100.${index}`);
const otherUser = (index: number): Partial<PasswordAttempt> => ({
  nameDigest: `user-${index}`,
  account: { id: `${index}`, fingerprint: fingerprint('x') },
});

async function listed(throttle: Throttle): Promise<Record<string, number>> {
  const keys = await allFailures(throttle);
  return Object.fromEntries(keys.map(({ kind, failures }) => [kind, failures]));
}

test('wrong tokens for a host count by pair and network, under no key of passwords', () => {
  const keysAt = (address?: string) => keysOfHostToken('ann', { address }).map(({ key }) => key);
  assert.deepEqual(keysAt('192.0.2.1'), ['token-pair:ann:192.0.2.1', 'token-address:192.0.2.1']);
  assert.deepEqual(keysAt('2001:db8:1:2::3'), [
    'token-pair:ann:2001:db8:1:2::/64',
    'token-end-site:2001:db8:1::/48',
    'token-address:2001:db8:1:2::/64',
  ]);
  assert.deepEqual(keysAt(), ['token-pair:ann:unknown', 'token-address:unknown']);
  const ofPasswords = limitsOf(annsAttempt).keys.map(({ kind }) => kind);
  for (const { kind, policy } of keysOfHostToken('ann', { address: '2001:db8:1:2::3' })) {
    assert.ok(!ofPasswords.includes(kind), kind);
    assert.ok(!('stopsAt' in policy), kind);
  }
});

describe('the policies', () => {
  test('an account waits after 10 failures, an address after 20, and an unknown address after 5', () => {
    const firstWaits = (policy: Policy) =>
      Array.from({ length: 200 }, (_, failures) => failures).find((failures) => waitAfter(policy, failures) > 0);
    for (const kind of ['account', 'name', 'unknownName', 'browser'] as const)
      assert.equal(firstWaits(policies[kind]), 10);
    assert.equal(firstWaits(policies.pair), 8);
    assert.equal(firstWaits(policies.address), 20);
    assert.equal(firstWaits(policies.unknownAddress), 5);
  });

  test('each wait is twice the last, up to a quarter of an hour', () => {
    const waits = (policy: Policy) => [0, 1, 2, 3, 4, 5, 6, 7, 80].map((more) => waitAfter(policy, policy.free + more));
    for (const kind of ['account', 'name', 'unknownName', 'browser', 'pair', 'address'] as const)
      assert.deepEqual(waits(policies[kind]), [10, 20, 40, 80, 160, 320, 640, 900, 900], kind);
    assert.deepEqual(waits(policies.unknownAddress), [30, 60, 120, 240, 480, 900, 900, 900, 900]);
  });

  test('failures of an account stay, and all others are kept for a month after the last one', () => {
    for (const [kind, { keepSeconds }] of Object.entries<Policy>(policies))
      assert.equal(keepSeconds, /^(?:factor-)?account$/.test(kind) ? undefined : 30 * day, kind);
  });

  test('fewer attempts run at once than may fail without a wait', () => {
    assert.ok(atOnce.address < policies.address.free);
    assert.ok(atOnce.endSite < policies['end-site'].free);
    assert.ok(atOnce.unknownAddress < policies.unknownAddress.free);
    for (const kind of ['account', 'name', 'pair', 'browser', 'unknownName'] as const)
      assert.ok(atOnce.account < policies[kind].free, kind);
  });
});

describe('password attempts', () => {
  for (const [who, from] of [
    ['an account', annsAttempt],
    ['an unknown name', nobodys],
  ] as const) {
    test(`${who} that is guessed from everywhere waits after ten failures, ever longer, and stops at a hundred`, async () => {
      const t = createTest();
      const waits = await t.failPatiently(99, elsewhere, from);
      assert.deepEqual(waits.slice(0, 20), [...Array(10).fill(0), ...[10, 20, 40, 80, 160, 320, 640, 900, 900, 900]]);
      t.pass(900);
      const last = await t.fail(elsewhere(99), from);
      assert.deepEqual([last.passed, last.passed && last.stops], [true, true]);
      for (const later of [0, day, 400 * day]) {
        t.pass(later);
        const refused = await t.succeed(elsewhere(100), from);
        assert.deepEqual([refused.passed, retryAfter(refused)], [false, day]);
      }
      assert.equal(t.checks(), 100);
    });

    test(`${who} that is guessed from one address waits after eight failures`, async () => {
      const t = createTest();
      const waits = await t.failPatiently(12, undefined, from);
      assert.deepEqual(waits, [0, 0, 0, 0, 0, 0, 0, 0, 10, 20, 40, 80]);
    });
  }

  test('while they wait, known and unknown names, right and wrong passwords get the same answer', async () => {
    const t = createTest();
    await t.failPatiently(14, elsewhere);
    await t.failPatiently(14, elsewhere, nobodys);
    const answers = [await t.fail(elsewhere(50)), await t.succeed(elsewhere(50))];
    for (const { trace: _, ...answer } of answers)
      assert.deepEqual(answer, { passed: false, retryAfterSeconds: retryAfter(answers[0] ?? assert.fail()) });
    const t2 = createTest();
    await t2.failPatiently(14, elsewhere, nobodys);
    const t3 = createTest();
    await t3.failPatiently(14, elsewhere);
    const [unknown, known] = [await t2.fail(elsewhere(50), nobodys), await t3.fail(elsewhere(50))];
    assert.equal(retryAfter(unknown), 160);
    assert.equal(retryAfter(known), 160);
  });

  test('a wait ends by itself, and attempts meanwhile cost no hash and do not extend it', async () => {
    const t = createTest();
    for (let index = 0; index < 10; index += 1) await t.fail(elsewhere(index));
    for (let index = 0; index < 9; index += 1) {
      assert.equal(retryAfter(await t.fail(elsewhere(20))), 10 - index);
      t.pass(1);
    }
    assert.equal(t.checks(), 10);
    t.pass(1);
    assert.equal((await t.succeed(elsewhere(20))).passed, true);
  });

  test('a success clears the failures of account, name and pair, but not those of the address', async () => {
    const t = createTest();
    for (let index = 0; index < 7; index += 1) await t.fail();
    assert.deepEqual(await listed(t.throttle), { account: 7, name: 7, address: 7, pair: 7 });
    await t.succeed();
    assert.deepEqual(await listed(t.throttle), { address: 7 });
    await t.fail();
    await t.succeed({ knownBrowser: 'b' });
    assert.deepEqual(
      await listed(t.throttle),
      { address: 8 },
      'a success in a known browser does not clear the address either',
    );
  });

  test('a right code clears the wrong codes of account and pair, but not those of the address', async () => {
    const usual = { userId: ann.id, address: '192.0.2.1' };
    const t = createClockedThrottle({ limitsOf: ({ userId, address }) => limitsOfFactor(userId, address), usual });
    for (let index = 0; index < 4; index += 1) await t.fail();
    assert.deepEqual(await listed(t.throttle), { 'factor-account': 4, 'factor-pair': 4, 'factor-address': 4 });
    await t.succeed();
    assert.deepEqual(await listed(t.throttle), { 'factor-address': 4 });
  });

  test('wrong codes from one IPv6 /64 count together', async () => {
    const usual = { userId: ann.id, address: '2001:db8::' };
    const t = createClockedThrottle({ limitsOf: ({ userId, address }) => limitsOfFactor(userId, address), usual });
    for (let index = 1; index <= 5; index += 1) await t.fail({ address: `2001:db8::${index}` });
    assert.equal(retryAfter(await t.fail({ address: '2001:db8::ff:1' })), 10);
    assert.equal((await t.fail({ address: '2001:db8:0:1::1' })).passed, true);
  });

  test('codes from no known address are counted together, whosever they are', () => {
    const networkKeys = (userId: string) =>
      limitsOfFactor(userId, undefined).keys.filter(({ kind }) => kind === 'factor-address');
    assert.equal(networkKeys('ann').length, 1);
    assert.deepEqual(networkKeys('ann'), networkKeys('bob'));
  });

  const ofCodes = ({ userId = ann.id, address = '' }: { userId?: string; address?: string }) =>
    limitsOfFactor(userId, address);
  for (const [secrets, create] of [
    ['passwords', createTest],
    ['codes', () => createClockedThrottle({ limitsOf: ofCodes, usual: {} })],
  ] as const)
    test(`an IPv6 /48 that guesses ${secrets} from each of its /64s waits after a hundred, and a success clears none`, async () => {
      const t = create();
      const endSite = '2001:db8::/48';
      const from = (index: number) => ({
        ...otherUser(index),
        userId: `${index}`,
        address: `2001:db8:0:${index.toString(16)}::/64`.replace(secrets === 'codes' ? '/64' : '', ''),
        endSite,
      });
      for (let index = 0; index < 100; index += 1) assert.equal((await t.fail(from(index))).passed, true);
      assert.equal(retryAfter(await t.succeed(from(100))), 10);
      t.pass(10);
      assert.equal((await t.succeed(from(100))).passed, true);
      const find = async () => (await allFailures(t.throttle)).find(({ address }) => address === endSite);
      assert.deepEqual([(await find())?.failures, (await find())?.stopped], [100, false]);
      let tries = 0;
      for (let seconds = 0; seconds < day; seconds += 10) {
        t.pass(10);
        if ((await t.fail(from(200 + tries))).passed) tries += 1;
      }
      assert.ok(tries < 3000, `${tries} were checked in a day`);
      assert.equal(await liftFailures(t.throttle, { address: endSite }), 1);
      assert.equal(await find(), undefined);
    });

  test('a new password lifts the stop of an account', async () => {
    const t = createTest();
    await t.failPatiently(100, elsewhere);
    t.pass(900);
    assert.equal(retryAfter(await t.succeed(elsewhere(1))), day);
    const renewed = { account: { ...ann, fingerprint: fingerprint('second') } };
    assert.equal((await t.succeed({ ...elsewhere(1), ...renewed })).passed, true);
    const keys = await allFailures(t.throttle);
    assert.deepEqual(
      keys.filter(({ stopped }) => stopped).map(({ kind, passwordFingerprint }) => [kind, passwordFingerprint]),
      [['account', fingerprint('first')]],
    );
  });

  test('a known browser passes while account, name and address wait, and has its own stop', async () => {
    const t = createTest();
    await t.failPatiently(100, elsewhere);
    for (let index = 0; index < 30; index += 1) await t.fail(otherUser(index));
    assert.equal((await t.succeed()).passed, false);
    assert.equal((await t.succeed({ knownBrowser: 'b' })).passed, true);
    assert.deepEqual((await allFailures(t.throttle)).filter(({ stopped }) => stopped).length, 1, 'still');
    assert.equal((await t.succeed(elsewhere(1))).passed, false);

    await t.failPatiently(100, () => ({ knownBrowser: 'b' }));
    assert.equal(retryAfter(await t.succeed({ knownBrowser: 'b' })), day);
    assert.equal((await t.succeed({ knownBrowser: 'c' })).passed, true);
    assert.equal((await t.succeed({ knownBrowser: 'b', account: { ...ann, fingerprint: 'new' } })).passed, true);
  });

  test('a browser that is known for one user counts as unknown for another', async () => {
    const t = createTest();
    await t.failPatiently(10, () => ({ knownBrowser: 'b' }));
    assert.equal((await t.fail({ knownBrowser: 'b' })).passed, false);
    assert.equal((await t.fail({ knownBrowser: 'b', ...otherUser(1) })).passed, true);
    assert.equal((await t.fail({ ...nobodys, knownBrowser: 'b' })).passed, true);
    assert.deepEqual(await listed(t.throttle), { browser: 1, name: 1, address: 1, pair: 1 });
  });

  test('a success in a known browser clears the failures of strangers, but not a stop', async () => {
    const t = createTest();
    for (let index = 0; index < 10; index += 1) await t.fail(elsewhere(index));
    assert.equal((await t.fail()).passed, false);
    await t.fail({ knownBrowser: 'b' });
    await t.succeed({ knownBrowser: 'b' });
    assert.equal((await t.fail()).passed, true);
    assert.deepEqual(
      (await allFailures(t.throttle)).filter(({ kind }) => kind === 'account').map(({ failures }) => failures),
      [1],
    );
  });

  test('an address that tries a password on every account has to wait', async () => {
    const t = createTest();
    for (let index = 0; index < 20; index += 1) assert.equal((await t.fail(otherUser(index))).passed, true);
    assert.equal(retryAfter(await t.fail(otherUser(20))), 10);
    assert.equal((await t.succeed(elsewhere(1))).passed, true, 'a login from another address passes');
    let tries = 0;
    for (let seconds = 0; seconds < day; seconds += 10) {
      t.pass(10);
      if ((await t.fail(otherUser(100 + tries))).passed) tries += 1;
    }
    assert.ok(tries < 300, `${tries} passwords were checked in a day`);
    assert.equal(t.checks(), 21 + tries);
  });

  test('an address is forgiven one failure every three minutes, even between failures', async () => {
    const t = createTest();
    for (let index = 0; index < 15; index += 1) await t.fail(otherUser(index));
    t.pass(179);
    await t.fail(otherUser(20));
    assert.equal((await listed(t.throttle)).address, 16, 'no failure is forgiven before three minutes');
    t.pass(182);
    await t.fail(otherUser(21));
    assert.equal((await listed(t.throttle)).address, 15, 'after six minutes two failures are forgiven, and one is new');
    t.pass(day);
    await t.fail(otherUser(22));
    assert.equal((await listed(t.throttle)).address, 1);
  });

  test('an office with few typing errors never waits, however many users log in', async () => {
    const t = createTest();
    for (let index = 0; index < 200; index += 1) {
      assert.equal((await t.fail(otherUser(index))).passed, true);
      await Promise.all([1, 2, 3].map((other) => t.succeed(otherUser(1000 + other))));
      t.pass(index % 2 === 0 ? 2 * minute : 5 * minute);
      await t.succeed(otherUser(index));
    }
    assert.equal(t.checks(), 200 * 5);
  });

  test('all clients without a known address share one strict limit', async () => {
    const t = createTest();
    const address = undefined;
    for (let index = 0; index < 5; index += 1)
      assert.equal((await t.fail({ address, ...otherUser(index) })).passed, true);
    assert.equal(retryAfter(await t.fail({ address, ...otherUser(5) })), 30);
    assert.equal((await t.succeed({ address, knownBrowser: 'b' })).passed, true);
    assert.equal((await t.succeed()).passed, true);
    t.pass(30);
    assert.equal((await t.fail({ address, ...otherUser(5) })).passed, true);
    assert.equal(retryAfter(await t.fail({ address, ...otherUser(6) })), 60);
  });

  for (const [how, changes] of [
    ['on one account from one address', () => ({})],
    ['on one account from everywhere', elsewhere],
    ['on every account from one address', otherUser],
  ] as const) {
    test(`a hundred tries at once ${how} cost at most twenty hashes`, async () => {
      const t = createTest();
      const all = await Promise.all(Array.from({ length: 100 }, (_, index) => t.fail(changes(index))));
      assert.equal(all.filter(({ passed }) => passed).length, t.checks());
      assert.ok(t.checks() >= 8 && t.checks() <= 20, `${t.checks()} hashes`);
    });
  }

  test('thirty right logins at once all pass, whether they share an account or an address', async () => {
    for (const changes of [
      () => ({}),
      elsewhere,
      otherUser,
      () => ({ knownBrowser: 'b' }),
      () => ({ address: undefined }),
    ]) {
      const t = createTest();
      const all = await Promise.all(Array.from({ length: 30 }, (_, index) => t.succeed(changes(index))));
      assert.deepEqual(
        all.filter(({ passed }) => !passed),
        [],
      );
      assert.equal(t.checks(), 30);
      assert.deepEqual(await listed(t.throttle), {});
    }
  });

  test('an address that sends many attempts at once delays itself before it delays the owner of an account', async () => {
    const t = createTest();
    const started: string[] = [];
    const start = (address: string) =>
      t.run(at(address), async () => {
        started.push(address);
        await new Promise(setImmediate);
        return { succeeded: true };
      });
    const all = [...Array.from({ length: 50 }, () => start('198.51.100.1')), start('192.0.2.1')];
    await Promise.all(all);
    const before = started.indexOf('192.0.2.1');
    assert.ok(before >= 4 && before <= atOnce.address, `${before} logins of the other address came first`);
  });

  test('when too many wait, the longest queue is refused, so that one address cannot keep others out', async () => {
    const t = createTest({ waiting: 20 });
    const gate = Promise.withResolvers<void>();
    const start = (changes: Partial<PasswordAttempt>) =>
      t.run(changes, async () => {
        await gate.promise;
        return { succeeded: true };
      });
    const sent = Array.from({ length: 100 }, (_, index) =>
      start({ ...otherUser(0), knownBrowser: `browser-${index}`, ...at('203.0.113.1') }),
    );
    const outcomes = Promise.allSettled(sent);
    await new Promise(setImmediate);
    // Four of them run, and four more wait.
    const others = Array.from({ length: 8 }, (_, index) => start(elsewhere(index)));
    await new Promise(setImmediate);
    gate.resolve();
    assert.ok((await Promise.all(others)).every(({ passed }) => passed));
    const refused = (await outcomes).filter(({ status }) => status === 'rejected');
    assert.equal(refused.length, 100 - atOnce.account - 20 + 4);
  });

  test('an end site with many addresses has few turns at once', async () => {
    const t = createTest();
    const started: string[] = [];
    const gate = Promise.withResolvers<void>();
    const start = (address: string, endSite: string, changes: Partial<PasswordAttempt>) =>
      t.run({ ...changes, address, endSite }, async () => {
        started.push(endSite);
        await gate.promise;
        return { succeeded: true };
      });
    const all = Array.from({ length: 60 }, (_, index) =>
      start(`2001:db8:1:${index}::/64`, '2001:db8:1::/48', otherUser(index)),
    );
    all.push(start('2001:db8:2:0::/64', '2001:db8:2::/48', otherUser(60)));
    await new Promise(setImmediate);
    assert.equal(started.length, atOnce.endSite + 1);
    assert.ok(started.includes('2001:db8:2::/48'));
    gate.resolve();
    await Promise.all(all);
  });

  test('strangers and known browsers of an account have separate turns', async () => {
    const t = createTest();
    const gate = Promise.withResolvers<void>();
    const start = (changes: Partial<PasswordAttempt>, work: () => Promise<void>) =>
      t.run(changes, async () => {
        await work();
        return { succeeded: true };
      });
    const strangers = Array.from({ length: 8 }, (_, index) => start(elsewhere(index), () => gate.promise));
    assert.ok((await start({ knownBrowser: 'ann', ...at('192.0.2.9') }, async () => {})).passed);
    gate.resolve();
    await Promise.all(strangers);
  });

  test('the known browsers of an account have 64 keys, however many they are', () => {
    const account = { id: 'ann', fingerprint: 'x' };
    const keys = Array.from({ length: 1000 }, () => {
      const knownBrowser = randomBytes(16).toString('base64url');
      return limitsOf({ address: undefined, endSite: undefined, nameDigest: 'ann', account, knownBrowser }).keys[0]
        ?.key;
    });
    const count = new Set(keys).size;
    assert.ok(count > 32 && count <= 64, `${count}`);
  });

  for (const [what, limitsOfUser] of [
    [
      'known browsers',
      (user: string, address: string) =>
        limitsOf({
          ...at(address),
          nameDigest: user,
          account: { id: user, fingerprint: fingerprint('x') },
          knownBrowser: 'a',
        }),
    ],
    ['codes', limitsOfFactor],
  ] as const)
    test(`${what} of many accounts in one network count as one when too many wait`, async () => {
      const turns = createTurns({ part: 'Hashing', atOnce: 2, waiting: 20 });
      const gate = Promise.withResolvers<void>();
      const start = (user: string, address: string) => turns.take(limitsOfUser(user, address), () => gate.promise);
      const crowd = Array.from({ length: 40 }, (_, index) => start(`user-${index}`, '198.51.100.1'));
      const owners = [1, 2, 3].map((index) => start(`owner-${index}`, '192.0.2.9'));
      const outcomes = Promise.allSettled([...crowd, ...owners]);
      gate.resolve();
      const refused = (await outcomes).map(({ status }) => status === 'rejected');
      assert.deepEqual(refused.slice(crowd.length), [false, false, false]);
      assert.equal(refused.filter(Boolean).length, 21);
    });

  test('a known browser gets its turn before strangers at its address, and they are refused first', async () => {
    const t = createTest({ waiting: 20 });
    const started: string[] = [];
    const gates: PromiseWithResolvers<void>[] = [];
    const start = (who: string, changes: Partial<PasswordAttempt>) =>
      t.run(changes, async () => {
        const gate = Promise.withResolvers<void>();
        started.push(who);
        gates.push(gate);
        await gate.promise;
        return { succeeded: true };
      });
    const strangers = Array.from({ length: 30 }, (_, index) => start('a stranger', otherUser(index)));
    const outcomes = Promise.allSettled(strangers);
    await new Promise(setImmediate);
    const owner = start('the owner', { knownBrowser: 'b' });
    await new Promise(setImmediate);
    assert.equal(started.length, atOnce.address, 'the limit of the address holds for known browsers too');
    gates[0]?.resolve();
    await new Promise(setImmediate);
    assert.deepEqual(started.slice(atOnce.address), ['the owner']);
    while (gates.length > 0) {
      for (const gate of gates.splice(0)) gate.resolve();
      await new Promise(setImmediate);
    }
    assert.equal((await owner).passed, true);
    assert.equal((await outcomes).filter(({ status }) => status === 'rejected').length, 1);
  });

  test('an attempt gives the result of the check, and the state of each key', async () => {
    const t = createTest();
    const first = await t.run({}, async () => ({ succeeded: false, reason: 'x' }));
    const trace = (failures: number, waits: Record<string, number> = {}) =>
      (['account', 'name', 'address', 'pair'] as const).map((kind) => ({
        kind,
        failures,
        waitSeconds: waits[kind] ?? 0,
        stopped: false,
      }));
    assert.deepEqual(first, { passed: true, result: { succeeded: false, reason: 'x' }, trace: trace(0), stops: false });
    for (let index = 1; index < 8; index += 1) await t.fail();
    t.pass(2.5);
    assert.deepEqual(await t.fail(), { passed: false, retryAfterSeconds: 8, trace: trace(8, { pair: 8 }) });
  });

  test('the list shows failures with their owner and the end of the wait', async () => {
    const t = createTest();
    for (let index = 0; index < 9; index += 1) await t.fail(elsewhere(index));
    await t.fail({ address: '2001:db8::/64' });
    await t.fail({ knownBrowser: 'b' });
    await t.fail({ address: undefined, ...otherUser(1) }, nobodys);
    const keys = await allFailures(t.throttle);
    const lastFailureAt = new Date(t.now());
    const find = (wanted: object) =>
      keys.find((key) => Object.entries(wanted).every(([name, value]) => key[name as 'kind'] === value));
    const waits = { failures: 10, lastFailureAt, waitsUntil: new Date(t.now() + 10_000), stopped: false };
    const once = { failures: 1, lastFailureAt, stopped: false };
    assert.deepEqual(find({ kind: 'account', userId: ann.id }), {
      kind: 'account',
      userId: ann.id,
      passwordFingerprint: ann.fingerprint,
      ...waits,
    });
    assert.deepEqual(find({ kind: 'name', nameDigest: 'ann' }), { kind: 'name', nameDigest: 'ann', ...waits });
    assert.deepEqual(find({ kind: 'address', address: '2001:db8::/64' }), {
      kind: 'address',
      address: '2001:db8::/64',
      ...once,
    });
    assert.deepEqual(find({ kind: 'pair', address: '2001:db8::/64' }), {
      kind: 'pair',
      nameDigest: 'ann',
      address: '2001:db8::/64',
      ...once,
    });
    assert.deepEqual(find({ kind: 'browser' }), {
      kind: 'browser',
      userId: ann.id,
      passwordFingerprint: ann.fingerprint,
      ...once,
    });
    assert.deepEqual(find({ kind: 'address', address: 'unknown' }), { kind: 'address', address: 'unknown', ...once });
    t.pass(10);
    assert.ok((await allFailures(t.throttle)).every(({ waitsUntil }) => waitsUntil === undefined));
  });

  test('the list shows a stop for an account or an unknown name, but not for the name of an account', async () => {
    const t = createTest();
    await t.failPatiently(100, elsewhere);
    await t.failPatiently(100, elsewhere, nobodys);
    const stopped = (await allFailures(t.throttle)).filter((key) => key.stopped);
    assert.deepEqual(
      stopped.map(({ kind, userId, nameDigest, waitsUntil }) => ({ kind, whose: userId ?? nameDigest, waitsUntil })),
      [
        { kind: 'account', whose: ann.id, waitsUntil: undefined },
        { kind: 'name', whose: 'nobody', waitsUntil: undefined },
      ],
    );
  });

  test('failures can be lifted for a user, a name, an address, or all', async () => {
    const t = createTest();
    async function prepare() {
      await liftFailures(t.throttle, 'all');
      await t.fail();
      await t.fail({ account: { ...ann, fingerprint: fingerprint('older') } });
      await t.fail({ knownBrowser: 'b' });
      await t.fail(otherUser(1));
      await t.fail({}, nobodys);
    }
    const left = async () => (await allFailures(t.throttle)).length;
    await prepare();
    assert.equal(await left(), 4 + 1 + 1 + 3 + 3);
    assert.equal(await liftFailures(t.throttle, { userId: ann.id, nameDigest: 'ann' }), 5);
    assert.equal(await left(), 7);
    assert.equal(await liftFailures(t.throttle, { userId: undefined, nameDigest: 'nobody' }), 2);
    assert.equal(await left(), 5);
    await prepare();
    assert.equal(await liftFailures(t.throttle, { address: '192.0.2.1' }), 3);
    assert.equal(await left(), 9);
    assert.equal(await liftFailures(t.throttle, 'all'), 9);
    assert.equal(await left(), 0);
  });
});

test('a lift of an address reads no values of failures', async () => {
  const { take: takeTurn } = createTurns({ part: 'The work', atOnce: 1, waiting: 1 });
  const store = { ...createMemoryFailureStore(), listPage: () => assert.fail('it reads all') };
  const throttle = createThrottle({ store, takeTurn });
  const keys = ['pair:a:192.0.2.1', 'address:192.0.2.1', 'pair:a:192.0.2.11', 'address:192.0.2.11', 'name:a'];
  await throttle.take(keys.map((key) => ({ key, policy: policies.name })));
  assert.equal(await liftFailures(throttle, { address: '192.0.2.1' }), 2);
});
