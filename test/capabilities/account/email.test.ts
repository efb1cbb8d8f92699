import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, password, startJanua } from '../../janua.ts';
import { json, logIn } from '../../web/faces.ts';

test('the former mailbox gets the same notice of a change to a taken address as to a free one', async () => {
  await using janua = await startJanua();
  const { app, people, services } = janua;
  const taken = 'bob@example.com';
  await people.add({ username: taken, password, firstName: 'Bob', lastName: 'Baker' });
  const { bearer } = await logIn(app);
  const addresses = ['free@example.com', taken];
  for (const email of addresses) {
    const sent = json({ email });
    const headers = { ...sent.headers, ...bearer };
    assert.equal((await app.inject({ ...sent, method: 'POST', url: '/api/account/email', headers })).statusCode, 202);
  }
  await services.mail?.settled();
  const notices = (await services.outbox.listKept(9)).filter(({ to }) => to === ann.username);
  assert.deepEqual(
    notices.map(({ subject, text }) => [subject, addresses.filter((address) => text.includes(address))]),
    [taken, 'free@example.com'].map((address) => [notices[0]?.subject, [address]]),
  );
});
