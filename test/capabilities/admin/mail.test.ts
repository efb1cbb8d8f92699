import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queueOf } from '../../core/mail/post-office.ts';
import { startJanua } from '../../janua.ts';
import { signInWith } from './administrator.ts';

test('mail that waits or was given up is listed without what it tells, and sent again', async () => {
  await using janua = await startJanua({
    // Nothing sends the mail.
    overrides: { takesLogins: false },
    settings: {
      MAIL_URL: 'smtp://janua:canary@127.0.0.1:1',
      MAIL_FROM: 'no-reply@example.com',
      PUBLIC_URL: 'http://localhost:5000',
    },
  });
  const headers = { ...(await signInWith(janua, 'settings:read')), origin: 'http://localhost:5000' };
  const { outbox } = janua.services;
  const queue = queueOf(janua.services);
  const list = async (query = '') => (await janua.get(`/api/admin/mail${query}`, headers)).json();
  assert.deepEqual(await list(), { sends: true, mails: [], next_cursor: null });
  for (const address of ['ann@example.com', 'bob@example.com', 'cid@example.com'])
    await queue.add({ purpose: 'reset-password', address, language: 'en', details: { secret: 'canary' } });
  const [, bob] = await Array.fromAsync(outbox.list());
  assert.ok(bob);
  await outbox.giveUp(bob.id, '550 no such user');
  const pages = [await list('?limit=2')];
  pages.push(await list(`?limit=2&cursor=${pages[0].next_cursor}`));
  assert.equal(pages[1].next_cursor, null);
  const mails: Record<string, unknown>[] = pages.flatMap((page) => page.mails);
  assert.deepEqual(
    mails.map(({ address, state }) => [address, state]),
    [
      ['cid@example.com', 'waiting'],
      ['bob@example.com', 'given-up'],
      ['ann@example.com', 'waiting'],
    ],
  );
  const { id, purpose, due_at, failure } = mails[1] ?? {};
  assert.deepEqual([id, purpose, due_at, failure], [bob.id, 'reset-password', null, '550 no such user']);
  const page = await janua.get('/admin/mail', headers);
  assert.match(page.body, /550 no such user/);
  assert.doesNotMatch(page.body, /first page/);
  const second = await janua.get(`/admin/mail?limit=2&cursor=${pages[0].next_cursor}`, headers);
  assert.match(second.body, /<a href="\/admin\/mail\?limit=2">Back to the first page</);
  assert.doesNotMatch(page.body + JSON.stringify(pages), /canary/);

  const retry = (fields: object) => janua.post('/api/admin/mail/retry', fields, headers);
  assert.equal((await retry({ id: 'unknown' })).statusCode, 404);
  assert.deepEqual((await retry({ id: bob.id })).json(), { count: 1 });
  assert.ok((await list()).mails.every(({ state }: { state: string }) => state === 'waiting'));
  assert.deepEqual((await retry({})).json(), { count: 0 }, 'all of them are due already');
  await outbox.giveUp(bob.id, '550 no such user');
  assert.deepEqual((await retry({})).json(), { count: 1 });
  // The mail server may refuse them again, so the page does not say that they are sent.
  const retried = await janua.get('/admin/mail?state=retried', headers);
  assert.match(retried.body, /role="status">Janua is trying again now/);
  const events = await janua.events({ kind: 'mail-retried' });
  assert.deepEqual(
    events.map(({ count, actorId }) => [count, actorId !== undefined]),
    [
      [1, true],
      [1, true],
    ],
  );
});

test('without a mail server the page of the mail says so', async () => {
  await using janua = await startJanua({ overrides: { demoMailbox: false } });
  const headers = await signInWith(janua, 'settings:read');
  const answer = await janua.get('/api/admin/mail', headers);
  assert.deepEqual(answer.json(), { sends: false, mails: [], next_cursor: null });
  const page = await janua.get('/admin/mail', headers);
  assert.match(page.body, /MAIL_URL is not set/);
});
