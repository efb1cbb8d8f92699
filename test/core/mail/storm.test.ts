import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SentHeaders } from '../../client.ts';
import { ann, password, startJanua, type TestJanua, type TestOptions } from '../../janua.ts';
import { startScriptedSmtp } from './scripted-smtp.ts';

const proxy = '192.0.2.1';

const open = ({ settings, ...options }: TestOptions) =>
  startJanua({ ...options, settings: { ...settings, TRUSTED_PROXIES: [proxy] } });

/** Sends a request by way of the proxy. */
async function post(janua: TestJanua, from: string, url: string, fields: object, more: SentHeaders = {}) {
  const answer = await janua.post(url, fields, { 'x-forwarded-for': from, ...more }, proxy);
  assert.equal(answer.statusCode, 202);
  return answer.body;
}

/** An address in one of the 65,536 /64s of a site. */
const inSite = (number: number) => `2001:db8:1:${number.toString(16)}::1`;

test('strangers of one IPv6 site do not hold up the mail of others', async () => {
  const storm = 150;
  await using smtp = await startScriptedSmtp();
  const mail = { MAIL_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'janua@example.com' };
  await using janua = await open({ settings: { ...mail, SIGN_UP: 'on' } });
  // All mails wait, so that their order can be seen.
  smtp.direct((command) => (command === 'CONNECT' ? { answer: '421 busy' } : undefined));
  for (let number = 0; number < storm; number += 1)
    await post(janua, inSite(number), '/api/sign-up', { email: `${number}@example.org` });
  await post(janua, '2001:db8:2::1', '/api/forgot-password', { email: ann.username });
  const { bearer } = await janua.logIn();
  const change = { email: 'new@example.com', password };
  await post(janua, inSite(storm), '/api/account/email', change, bearer);
  smtp.direct(() => undefined);
  await smtp.waitFor(storm + 3);
  const first = smtp.received.slice(0, 20).map(({ to }) => to[0]);
  const ofUsers = [ann.username, ann.username, 'new@example.com'];
  assert.deepEqual(first.filter((to = '') => ofUsers.includes(to)).sort(), ofUsers, 'a reset, a notice and a link');
});

test('strangers of one IPv6 site get a hundred mails, and then the same answers without a mail', async () => {
  const options = { settings: { THROTTLE: 'on' }, overrides: { takesLogins: false }, time: Date.now() } as const;
  await using janua = await open(options);
  const { outbox } = janua.services;
  let asked = 0;
  const ask = async (from: string) => {
    asked += 1;
    return post(janua, from, '/api/forgot-password', { email: `${asked}@example.com` });
  };
  const answers = new Set<string>();
  for (let number = 0; number < 120; number += 1) answers.add(await ask(inSite(number)));
  assert.equal(await outbox.countQueued(), 100);
  for (const other of ['2001:db8:2::1', '198.51.100.1']) answers.add(await ask(other));
  assert.equal(await outbox.countQueued(), 102);
  for (let number = 1; number <= 25; number += 1) answers.add(await ask(`2001:db8:3::${number}`));
  assert.equal(await outbox.countQueued(), 122, 'one /64 gets twenty');
  assert.equal(answers.size, 1);
  const events = await janua.events({ kind: 'mail-not-sent' });
  assert.equal(events.filter(({ reason }) => reason === 'too-many').length, 25);
});

test('strangers cannot use up the mails of a user at the same address', async () => {
  await using janua = await open({ settings: { THROTTLE: 'on' }, time: Date.now() });
  const { bearer } = await janua.logIn();
  for (let number = 0; number < 25; number += 1)
    await post(janua, '198.51.100.1', '/api/forgot-password', { email: `${number}@example.com` });
  await post(janua, '198.51.100.1', '/api/account/email', { email: 'new@example.com', password }, bearer);
  const mails = await janua.mails();
  assert.deepEqual(mails.map(({ to }) => to).sort(), [ann.username, 'new@example.com']);
});

test('a mail for a known address is stored like one for an unknown address', async () => {
  await using janua = await open({ overrides: { takesLogins: false } });
  for (const email of [ann.username, 'nobody@example.com'])
    await post(janua, inSite(1), '/api/forgot-password', { email });
  const stored = await Array.fromAsync(janua.services.outbox.list(), ({ party, userId, purpose }) => ({
    ...{ party, userId, purpose },
  }));
  const expected = { party: '2001:db8:1::/48', userId: undefined, purpose: 'reset-password' };
  assert.deepEqual(stored, [expected, expected]);
});
