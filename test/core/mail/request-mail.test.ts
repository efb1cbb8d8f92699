import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, startJanua } from '../../janua.ts';

/** An address in a network of its own. */
const client = (number: number) => `198.51.100.${number % 256}`;

async function openWithLimits() {
  const janua = await startJanua({ settings: { THROTTLE: 'on', SIGN_UP: 'on' }, time: Date.now() });
  return {
    ...janua,
    ask: async (email: string, { from = client(1), url = '/api/forgot-password', credential = {} } = {}) =>
      (await janua.post(url, { email }, credential, from)).statusCode,
    countMails: async (address?: string) =>
      (await janua.mails()).filter(({ to }) => address === undefined || to.toLowerCase() === address).length,
  };
}

test('an address gets one mail a minute, even if many clients ask at the same time, and the answers stay the same', async () => {
  await using limited = await openWithLimits();
  const statuses = await Promise.all(
    Array.from({ length: 20 }, (_, number) => limited.ask(ann.username, { from: client(number) })),
  );
  assert.deepEqual([...new Set(statuses)], [202]);
  assert.equal(await limited.countMails(), 1);
  const refused = await limited.events({ kind: 'mail-not-sent' });
  assert.equal(refused.length, 19);
  assert.ok(refused.every((event) => event.reason === 'too-many'));
  const requested = await limited.events({ kind: 'reset-requested' });
  const ofRequest = (id = '') => requested.find(({ caller }) => caller.requestId === id);
  for (const event of refused)
    assert.ok((ofRequest(event.caller.requestId)?.id ?? '~') < event.id, 'the request comes first');
  limited.pass(61_000);
  await limited.ask(ann.username);
  assert.equal(await limited.countMails(), 2);
});

test('of 1000 requests of many clients within an hour, an address gets at most five mails', async () => {
  await using limited = await openWithLimits();
  for (let request = 0; request < 1000; request += 1) {
    assert.equal(await limited.ask(ann.username, { from: client(request) }), 202);
    limited.pass(3_000);
  }
  assert.equal(await limited.countMails(), 5);
});

test('an address that is no account yet gets one mail a minute too, for all clients and in any spelling', async () => {
  await using limited = await openWithLimits();
  const { bearer } = await limited.logIn();
  for (const [url, email, credential] of [
    ['/api/sign-up', 'new@example.com', {}],
    ['/api/account/email', 'stranger@example.com', bearer],
  ] as const) {
    for (const count of [1, 2]) {
      const spellings = [
        email,
        email,
        email.toUpperCase(),
        email.replace(/^./, (first) => first.toUpperCase()),
        ` ${email} `,
      ];
      const statuses = await Promise.all(spellings.map((typed) => limited.ask(typed, { url, credential })));
      assert.deepEqual([...new Set(statuses)], [202], url);
      assert.equal(await limited.countMails(email), count, url);
      limited.pass(61_000);
    }
  }
});

test('one client cannot have mails sent to any number of addresses', async () => {
  await using limited = await openWithLimits();
  for (let number = 0; number < 100; number += 1) assert.equal(await limited.ask(`user${number}@example.com`), 202);
  const events = await limited.events({ kind: 'mail-not-sent' });
  assert.equal(events.filter((event) => event.reason === 'too-many').length, 80);
});
