import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPasskeys } from '../../../src/capabilities/second-factor/passkeys.ts';
import { perSecond } from '../../../src/core/throttle/backoff.ts';
import { createSqlFailureStore } from '../../../src/core/throttle/sql-store.ts';
import { createThrottle } from '../../../src/core/throttle/throttle.ts';
import { createTokens } from '../../../src/core/tokens/tokens.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { unlocked } from '../../core/users/held.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import {
  type AuthenticatorOptions,
  algorithms,
  createAuthenticator,
  encodeCbor,
  type Tricks,
} from './authenticator.ts';

const origin = 'https://auth.example.com';
const domain = 'example.com';
const ann = { id: 'ann', username: 'ann@example.com' };
const bob = { id: 'bob', username: 'bob@example.com' };
const user = { id: 'ann', username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer', groups: [] };
const enrolment = { purpose: 'enrol:1', cookie: 'a' };
const signIn = { purpose: 'sign-in', cookie: 'a' };
const minute = 60_000;

type Sent = ReturnType<ReturnType<typeof createAuthenticator>['get']>;

async function open(engine: UserEngine = 'SQLite') {
  const opened = await openMigrated(engine);
  const clock = { now: Date.UTC(2026, 10, 26) };
  const now = () => clock.now;
  const { database } = opened;
  const tokens = createTokens(database, now);
  const throttle = createThrottle({ store: createSqlFailureStore(opened), takeTurn: () => assert.fail(), now });
  const passkeysOf = (key: Buffer) =>
    createPasskeys({ database, tokens, throttle, key, domain, origins: new Set([origin]), appName: 'Janua', now });
  const passkeys = passkeysOf(Buffer.alloc(32, 1));

  /** Makes a passkey, and adds it to an account. */
  async function enrol(options: AuthenticatorOptions & { owner?: typeof ann; name?: string; browser?: string } = {}) {
    const { owner = ann, name, browser } = options;
    clock.now += 1;
    const device = createAuthenticator({ origin, domain, ...options });
    const made = await passkeys.verifyRegistration(
      device.create(await passkeys.creationOptions({ ...user, ...owner }, enrolment)),
      enrolment,
    );
    assert.ok(made);
    const added = await passkeys.add(unlocked(database, owner), made, name, browser);
    assert.ok(added);
    return { device, added };
  }

  /** Uses a passkey with a new challenge. */
  async function use(
    device: ReturnType<typeof createAuthenticator>,
    tricks?: Tricks,
    change = (sent: Sent): unknown => sent,
  ) {
    const sent = device.get(await passkeys.requestOptions(signIn), tricks);
    return passkeys.prove(change(sent), signIn);
  }
  const challenges = () => database.selectFrom('janua_tokens').select('purpose').execute();
  return { ...opened, clock, passkeys, passkeysOf, enrol, use, challenges };
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`passkeys in ${engine}`, { skip: missing(engine) }, () => {
    test('of 50 uses of one challenge at the same time, one succeeds', async () => {
      await using opened = await open(engine);
      const { passkeys, enrol } = opened;
      const { device } = await enrol();
      const sent = device.get(await passkeys.requestOptions(signIn));
      const results = await Promise.all(Array.from({ length: 50 }, () => passkeys.prove(sent, signIn)));
      assert.equal(results.filter((result) => typeof result === 'object').length, 1);
      assert.equal(results.filter((result) => result === 'expired-challenge').length, 49);
    });

    test('of 20 uses with one counter at the same time, one succeeds', async () => {
      await using opened = await open(engine);
      const { enrol, use } = opened;
      const { device } = await enrol();
      const results = await Promise.all(Array.from({ length: 20 }, () => use(device, { counter: 1 })));
      assert.equal(results.filter((result) => typeof result === 'object').length, 1);
      assert.equal(results.filter((result) => result === 'old-counter').length, 19);
    });

    test('of 20 enrolments with one challenge at the same time, one succeeds', async () => {
      await using opened = await open(engine);
      const { passkeys } = opened;
      const sent = createAuthenticator({ origin, domain }).create(await passkeys.creationOptions(user, enrolment));
      const results = await Promise.all(Array.from({ length: 20 }, () => passkeys.verifyRegistration(sent, enrolment)));
      assert.equal(results.filter((result) => result !== undefined).length, 1);
    });

    test('a passkey is listed, renamed, used and removed by its owner only', async () => {
      await using opened = await open(engine);
      const { passkeys, enrol, use, clock } = opened;
      const { device, added } = await enrol({ name: 'Laptop' });
      const { added: second } = await enrol({ name: 'Phone', isSyncable: true, isSynced: true });
      assert.deepEqual(await passkeys.list(ann), [added, second]);
      assert.deepEqual(await passkeys.list(bob), []);
      assert.deepEqual([added.syncable, added.synced, second.syncable, second.synced], [false, false, true, true]);
      assert.equal(await passkeys.rename(bob, added.id, 'Mine'), false);
      assert.equal(await passkeys.rename(ann, added.id, 'Old laptop'), true);
      clock.now += minute;
      device.count();
      const proven = await use(device);
      const expected = { ...added, name: 'Old laptop', counter: 1, lastUsedAt: new Date(clock.now) };
      assert.equal(typeof proven === 'object' && proven.id, added.id);
      assert.deepEqual(await passkeys.list(ann), [expected, second]);
      assert.equal(await passkeys.remove(bob, added.id), false);
      assert.equal(await passkeys.remove(ann, added.id), true);
      assert.equal(await passkeys.remove(ann, added.id), false);
      assert.equal(await use(device), 'unknown-passkey');
    });

    test('a credential belongs to one account', async () => {
      await using opened = await open(engine);
      const { passkeys, database } = opened;
      const device = createAuthenticator({ origin, domain });
      const made = async () => {
        const sent = device.create(await passkeys.creationOptions(user, enrolment));
        return passkeys.verifyRegistration(sent, enrolment);
      };
      const [first, second] = [await made(), await made()];
      assert.ok(first && second);
      assert.ok(await passkeys.add(unlocked(database, ann), first));
      assert.equal(await passkeys.add(unlocked(database, bob), second), undefined);
      assert.equal((await passkeys.list(bob)).length, 0);
    });
  });
}

for (const algorithm of algorithms) {
  describe(`a passkey with ${algorithm}`, () => {
    test('is made and used', async () => {
      await using opened = await open();
      const { enrol, use } = opened;
      const { device, added } = await enrol({ algorithm });
      const proven = await use(device);
      assert.ok(typeof proven === 'object');
      assert.deepEqual([proven.userId, proven.id], [ann.id, added.id]);
    });

    test('is not taken if any byte at its end is missing', async () => {
      await using opened = await open();
      const { passkeys, challenges } = opened;
      const device = createAuthenticator({ algorithm, origin, domain });
      const options = await passkeys.creationOptions(user, enrolment);
      const whole = Buffer.from(String(device.create(options).response.attestationObject), 'base64url').length;
      for (let length = 0; length < whole; length++) {
        const change = { attestationObject: (bytes: Buffer) => bytes.subarray(0, length) };
        assert.equal(
          await passkeys.verifyRegistration(device.create(options, { change }), enrolment),
          undefined,
          String(length),
        );
      }
      assert.deepEqual(await challenges(), []);
      assert.ok(await passkeys.verifyRegistration(device.create(options), enrolment));
    });

    test('proves nothing with one bit of its signature flipped', async () => {
      await using opened = await open();
      const { enrol, use } = opened;
      const { device } = await enrol({ algorithm });
      for (const place of [0, 9, 40, -1]) {
        const signature = (bytes: Buffer) => {
          const index = (bytes.length + place) % bytes.length;
          bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
          return bytes;
        };
        assert.equal(await use(device, { change: { signature } }), 'invalid-response', String(place));
      }
      assert.equal(typeof (await use(device)), 'object');
    });
  });
}

describe('a use of a passkey proves nothing', () => {
  const wrong: Record<string, Tricks> = {
    'on another origin': { origin: 'https://auth.example.com.evil.example' },
    'on another port': { origin: `${origin}:8443` },
    'on a subdomain': { origin: 'https://app.example.com' },
    'by plain http': { origin: 'http://auth.example.com' },
    'for another domain': { domain: 'auth.example.com' },
    'as a creation': { type: 'webauthn.create' },
    'as a payment': { type: 'payment.get' },
    'without user verification': { isVerified: false },
    'without a present user': { isPresent: false },
    'when it says that it may be copied, and did not before': { isSyncable: true },
    'when it is copied, and may not be': { isSynced: true },
    'with the handle of another user': { userHandle: Buffer.alloc(64, 1).toString('base64url') },
    'without the handle of its user': { userHandle: undefined },
    'with the data of the authenticator cut off': { change: { authenticatorData: (data) => data.subarray(0, 36) } },
    'with more data than it says': { change: { authenticatorData: (data) => Buffer.concat([data, Buffer.alloc(1)]) } },
    'with extensions that nest deeply': {
      change: {
        authenticatorData: (data) => {
          data.writeUInt8(data.readUInt8(32) | 0x80, 32);
          return Buffer.concat([data, Buffer.alloc(700, 0x81)]);
        },
      },
    },
  };
  for (const [name, tricks] of Object.entries(wrong))
    test(name, async () => {
      await using opened = await open();
      const { enrol, use, challenges } = opened;
      const { device } = await enrol();
      const before = await challenges();
      assert.equal(await use(device, tricks), 'invalid-response');
      assert.deepEqual(await challenges(), before, 'nothing was stored');
      assert.equal(typeof (await use(device)), 'object');
    });

  test('with a counter that goes back, or stays', async () => {
    await using opened = await open();
    const { enrol, use } = opened;
    const { device } = await enrol();
    assert.equal(typeof (await use(device, { counter: 7 })), 'object');
    for (const counter of [7, 6, 1, 0]) assert.equal(await use(device, { counter }), 'old-counter');
    assert.equal(typeof (await use(device, { counter: 2 ** 32 - 1 })), 'object');
    assert.equal(await use(device, { counter: 0 }), 'old-counter');
  });

  test('more often than a user could, each of which would be a row', async () => {
    await using opened = await open();
    const { enrol, use, database, clock } = opened;
    const { device } = await enrol();
    await use(device, { counter: 1000 });
    const [before] = await database
      .selectFrom('janua_tokens')
      .select(({ fn }) => fn.countAll().as('count'))
      .execute();
    const answers: unknown[] = [];
    for (let turn = 0; turn < perSecond.free + 20; turn += 1)
      answers.push(await use(device, { counter: 3 }).catch((error: unknown) => error));
    assert.equal(answers.filter((answer) => answer === 'old-counter').length, perSecond.free - 1);
    assert.ok(answers.slice(perSecond.free).every((answer) => answer instanceof Unavailable));
    const [after] = await database
      .selectFrom('janua_tokens')
      .select(({ fn }) => fn.countAll().as('count'))
      .execute();
    assert.equal(Number(after?.count) - Number(before?.count), perSecond.free - 1);
    const other = await enrol({ owner: bob });
    assert.equal(typeof (await use(other.device)), 'object', 'another user');
    clock.now += perSecond.firstWaitSeconds * 1000;
    assert.equal(typeof (await use(device, { counter: 1001 })), 'object', 'a while later');
  });

  test('with a challenge that was used, expired, is another, or belongs to something else', async () => {
    await using opened = await open();
    const { passkeys, passkeysOf, enrol, clock } = opened;
    const { device } = await enrol();
    const { challenge } = await passkeys.requestOptions(signIn);
    const prove = (text: unknown, binding: { purpose: string; cookie: string | undefined } = signIn) =>
      passkeys.prove(device.get({ challenge: '' }, { challenge: text }), binding);
    assert.equal(await prove(challenge, { ...signIn, purpose: 'confirm:1' }), 'expired-challenge');
    assert.equal(await prove(challenge, { ...signIn, cookie: 'b' }), 'expired-challenge');
    assert.equal(await prove(challenge, { ...signIn, cookie: undefined }), 'expired-challenge');
    const bytes = Buffer.from(challenge, 'base64url');
    bytes.writeUIntBE(clock.now + 60 * minute, 16, 6);
    for (const other of [
      ...[bytes.toString('base64url'), `${challenge}=`, challenge.slice(1), '', 'x'.repeat(72), 0, null, [challenge]],
      (await passkeysOf(Buffer.alloc(32, 2)).requestOptions(signIn)).challenge,
    ])
      assert.equal(await prove(other), 'expired-challenge', String(other));
    assert.equal(typeof (await prove(challenge)), 'object');
    assert.equal(await prove(challenge), 'expired-challenge');
    const { challenge: late } = await passkeys.requestOptions(signIn);
    clock.now += 5 * minute;
    assert.equal(await prove(late), 'expired-challenge');
  });

  test('as the second factor of another account', async () => {
    await using opened = await open();
    const { passkeys, enrol } = opened;
    const { device } = await enrol();
    const binding = { purpose: 'second-factor:1', cookie: 'a' };
    const { allowCredentials = [], challenge } = await passkeys.requestOptions(binding, ann);
    assert.deepEqual(allowCredentials, [{ id: device.id, type: 'public-key', transports: ['hybrid', 'internal'] }]);
    assert.deepEqual((await passkeys.requestOptions(binding, bob)).allowCredentials, []);
    assert.equal(await passkeys.prove(device.get({ challenge }), binding, bob), 'foreign-passkey');
    // A security key need not tell the user, because it was told its credential.
    assert.equal(
      typeof (await passkeys.prove(device.get({ challenge }, { userHandle: undefined }), binding, ann)),
      'object',
    );
  });

  test('whatever is sent in its place', async () => {
    await using opened = await open();
    const { passkeys, enrol, use } = opened;
    const { device } = await enrol();
    const huge = 'A'.repeat(100_000);
    const odd = [undefined, null, 0, '', '{', '[]', 'null', [], {}, { __proto__: null }, huge, '['.repeat(50_000)];
    for (const sent of odd) assert.equal(await passkeys.prove(sent, signIn), 'malformed');
    for (const field of ['clientDataJSON', 'authenticatorData', 'signature'])
      for (const value of [undefined, null, 5, {}, [], '', '=', 'ö', huge]) {
        const fault = await use(device, {}, (sent) => ({ ...sent, response: { ...sent.response, [field]: value } }));
        assert.equal(fault, 'malformed', field);
      }
    for (const value of ['AA', Buffer.from('{').toString('base64url'), Buffer.from('null').toString('base64url')]) {
      const fault = await use(device, {}, (sent) => ({
        ...sent,
        response: { ...sent.response, clientDataJSON: value },
      }));
      assert.equal(fault, 'expired-challenge');
    }
    assert.equal(await use(device, {}, (sent) => ({ ...sent, type: 'password' })), 'malformed');
    assert.equal(await use(device, {}, (sent) => ({ ...sent, id: 'AAAA' })), 'unknown-passkey');
    assert.equal(await use(createAuthenticator({ origin, domain })), 'unknown-passkey');
    assert.equal(typeof (await use(device, {}, (sent) => JSON.stringify(sent))), 'object', 'the text works too');
  });
});

describe('a new passkey is not taken', () => {
  const wrong: Record<string, Tricks> = {
    'from another origin': { origin: 'https://evil.example' },
    'for another domain': { domain: 'evil.example' },
    'as a use': { type: 'webauthn.get' },
    'without user verification': { isVerified: false },
    'with an algorithm that was not offered': { algorithmId: -35 },
    'with an algorithm of another kind of key': { algorithmId: -8 },
    'with a challenge of our own that is for something else': { challenge: 'A'.repeat(72) },
    'in deep lists': { change: { attestationObject: () => Buffer.alloc(12_000, 0x81) } },
    'with a length of four gigabytes': { change: { attestationObject: () => Buffer.from('a1635b5affffffff', 'hex') } },
    'with a list of four billion': { change: { attestationObject: () => Buffer.from('9affffffff00', 'hex') } },
    'if it is too large': { change: { attestationObject: (bytes) => Buffer.concat([bytes, Buffer.alloc(20_000)]) } },
  };
  for (const [name, tricks] of Object.entries(wrong))
    test(name, async () => {
      await using opened = await open();
      const { passkeys, challenges } = opened;
      const device = createAuthenticator({ origin, domain });
      const options = await passkeys.creationOptions(user, enrolment);
      assert.equal(await passkeys.verifyRegistration(device.create(options, tricks), enrolment), undefined);
      assert.deepEqual(await challenges(), [], 'nothing was stored');
      assert.ok(await passkeys.verifyRegistration(device.create(options), enrolment));
    });
});

test('an RSA key of a new passkey has at least 2048 bits, and the exponent 65537', async () => {
  await using opened = await open();
  const { passkeys } = opened;
  const device = createAuthenticator({ origin, domain });
  const options = await passkeys.creationOptions(user, enrolment);
  const isTaken = async (bytes: number, exponent: string) => {
    const rsa: [number, number | Buffer][] = [
      [1, 3],
      [3, -257],
      [-1, Buffer.alloc(bytes, 0xc1)],
      [-2, Buffer.from(exponent, 'hex')],
    ];
    // In place of the P-256 key of 77 bytes at the end of 148 bytes of data.
    const attestationObject = (whole: Buffer) =>
      Buffer.concat([
        whole.subarray(0, -150),
        encodeCbor(Buffer.concat([whole.subarray(-148, -77), encodeCbor(new Map(rsa))])),
      ]);
    return (
      (await passkeys.verifyRegistration(device.create(options, { change: { attestationObject } }), enrolment)) !==
      undefined
    );
  };
  assert.equal(await isTaken(128, '010001'), false);
  assert.equal(await isTaken(255, '010001'), false);
  assert.equal(await isTaken(256, '03'), false);
  assert.equal(await isTaken(256, '010001'), true);
});

test('no challenge comes twice', async () => {
  await using opened = await open();
  const { passkeys } = opened;
  const made = await Promise.all(Array.from({ length: 1000 }, () => passkeys.requestOptions(signIn)));
  assert.equal(new Set(made.map(({ challenge }) => challenge.slice(0, 21))).size, 1000, 'in the first 126 bits alone');
  const bytes = made.map(({ challenge }) => Buffer.from(challenge, 'base64url'));
  for (let index = 0; index < 16; index += 1)
    assert.ok(new Set(bytes.map((challenge) => challenge[index])).size > 100, `byte ${index} is random`);
});

test('the options of a new passkey ask for what Janua needs, and tell nothing but a random handle', async () => {
  await using opened = await open();
  const { passkeys, passkeysOf, enrol, challenges } = opened;
  const options = await passkeys.creationOptions(user, enrolment);
  assert.deepEqual(await challenges(), [], 'looking stores nothing');
  const { challenge, user: described, ...rest } = options;
  assert.match(challenge, /^[\w-]{72}$/);
  assert.match(described.id, /^[\w-]{86}$/);
  assert.deepEqual([described.name, described.displayName], ['ann@example.com', 'Ann Archer']);
  assert.deepEqual(rest, {
    rp: { id: domain, name: 'Janua' },
    pubKeyCredParams: [-8, -7, -257].map((alg) => ({ alg, type: 'public-key' })),
    timeout: 5 * minute,
    excludeCredentials: [],
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    attestation: 'none',
  });
  const { device, added } = await enrol();
  const again = await passkeysOf(Buffer.alloc(32, 2)).creationOptions(user, enrolment);
  assert.equal(again.user.id, described.id, 'the handle stays, even with another key');
  assert.equal(added.user_handle, described.id);
  assert.deepEqual(again.excludeCredentials, [
    { id: device.id, type: 'public-key', transports: ['hybrid', 'internal'] },
  ]);
  assert.notEqual((await passkeys.creationOptions({ ...user, ...bob }, enrolment)).user.id, described.id);
});

test('a passkey without a name is named after its provider and the browser', async () => {
  await using opened = await open();
  const [bitwarden, yubiKey] = ['d548826e-79b4-db40-a3d8-11116f7e8349', '2fc0579f-8113-47ea-b116-bb5a8db9202a'];
  const browser = 'Firefox on Windows';
  for (const [options, expected] of [
    [{ aaguid: bitwarden }, 'Bitwarden'],
    [{ aaguid: bitwarden, browser }, 'Bitwarden (Firefox on Windows)'],
    [{ aaguid: bitwarden, browser, name: 'Phone' }, 'Phone'],
    [{ aaguid: yubiKey }, 'YubiKey 5'],
    [{ browser }, 'Passkey (Firefox on Windows)'],
    [{}, 'Passkey'],
    [{ browser }, 'Passkey (Firefox on Windows) (2)'],
    [{ browser }, 'Passkey (Firefox on Windows) (3)'],
  ] as const)
    assert.equal((await opened.enrol(options)).added.name, expected);
});

test('a passkey that was made with a statement is taken, and the statement is not looked at', async () => {
  await using opened = await open();
  const { passkeys } = opened;
  const device = createAuthenticator({ origin, domain });
  const options = await passkeys.creationOptions(user, enrolment);
  const packed = (bytes: Buffer) =>
    // fmt "none" and an empty attStmt become fmt "tpm", with a certificate that would be asked about.
    Buffer.from(
      bytes.toString('hex').replace('646e6f6e65', '6374706d').replace('a068617574', 'a1637835634068617574'),
      'hex',
    );
  assert.ok(
    await passkeys.verifyRegistration(device.create(options, { change: { attestationObject: packed } }), enrolment),
  );
});

test('synced state follows the authenticator', async () => {
  await using opened = await open();
  const { passkeys, enrol, use } = opened;
  const { device, added } = await enrol({ isSyncable: true });
  assert.equal(added.synced, false);
  assert.equal(typeof (await use(device, { isSynced: true })), 'object');
  assert.deepEqual(
    (await passkeys.list(ann)).map(({ synced }) => synced),
    [true],
  );
});
