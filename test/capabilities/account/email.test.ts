import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, password, startJanua } from '../../janua.ts';
import { json, logIn, sessionCookie } from '../../web/faces.ts';

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

test('the account page shows the newest address that waits for its link, and none of an address bar', async () => {
  await using janua = await startJanua();
  const { app, services } = janua;
  const { cookie, bearer } = await logIn(app);
  const shown = async () => {
    const { body } = await app.inject({ url: '/account?state=2&email=evil@example.com', headers: cookie });
    assert.ok(!body.includes('evil'), body);
    return /Waiting for confirmation: ([^<]*)</.exec(body)?.[1];
  };
  const send = (url: string, fields: Record<string, unknown>) => {
    const sent = json(fields);
    return app.inject({ ...sent, method: 'POST', url, headers: { ...sent.headers, ...bearer } });
  };
  assert.equal(await shown(), undefined);
  for (const [email, page] of [
    ['first@example.com', 'first@example.com'],
    ['o&x@example.com', 'o&amp;x@example.com'],
  ] as const) {
    await send('/api/account/email', { email });
    assert.equal(await shown(), page, 'before the mail was sent');
    await services.mail?.settled();
    assert.equal(await shown(), page);
  }
  const mail = (await services.outbox.listKept(9)).find(({ to }) => to === 'o&x@example.com');
  await send('/api/confirm-email', { token: /token=([\w-]{43})/.exec(mail?.text ?? '')?.[1] });
  assert.equal(await shown(), undefined);

  await send('/api/account/email', { email: 'late@example.com' });
  const changed = await send('/api/account/password', {
    current_password: password,
    new_password: 'four words with spaces',
  });
  const own = { cookie: `session=${sessionCookie(changed)}` };
  assert.doesNotMatch(
    (await app.inject({ url: '/account', headers: own })).body,
    /Waiting for/,
    'a new password ends it',
  );
});
