import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { queueOf } from '../../core/mail/post-office.ts';
import { startJanua, type TestJanua } from '../../janua.ts';
import { asJson } from '../../web/faces.ts';

/** Adds a notice that an address was changed. */
const addNotice = ({ services }: TestJanua, address: string, changes: { requestId?: string; email?: string } = {}) =>
  queueOf(services).add({
    ...{ purpose: 'email-changed', address, language: 'en', requestId: changes.requestId },
    details: { email: changes.email ?? 'new@example.com', former: address, name: 'Ann' },
  });

const addReset = ({ services }: TestJanua) =>
  queueOf(services).add({ purpose: 'reset-password', address: 'ann@example.com', language: 'en' });

describe("the demo's mailbox", () => {
  test('shows what would have been sent, newest first, as a page and as JSON', async () => {
    await using janua = await startJanua();
    const { services } = janua;
    assert.deepEqual((await janua.get('/api/demo/mail')).json(), { mails: [] });
    assert.match((await janua.get('/demo/mail')).body, /There is no mail yet/);
    await addNotice(janua, 'ann@example.com');
    await addReset(janua);
    await services.mail?.settled();
    const { mails } = (await janua.get('/api/demo/mail')).json();
    assert.deepEqual(
      mails.map((mail: object) => Object.keys(mail).sort()),
      Array.from({ length: 2 }, () => ['created_at', 'html', 'id', 'subject', 'text', 'to']),
    );
    const [reset, notice] = mails;
    assert.deepEqual([reset.to, notice.to], ['ann@example.com', 'ann@example.com']);
    assert.ok(reset.id > notice.id);
    assert.match(reset.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(reset.html, /^<!doctype html>/);
    const [link = ''] = /http:\S+/.exec(reset.text) ?? [];
    assert.match(link, /^http:\/\/localhost:5000\/auth\/reset-password\?token=[\w-]{43}$/);
    assert.deepEqual((await janua.get('/demo/mail', asJson)).json(), { mails });
    const page = (await janua.get('/demo/mail')).body;
    assert.ok(page.includes(`<a class="button" href="${link}">Open the link</a>`));
    assert.ok(page.indexOf(reset.subject) < page.indexOf(notice.subject));
  });

  test('shows markup in a mail as text', async () => {
    await using janua = await startJanua();
    await addNotice(janua, 'ann@example.com', { email: '<script>alert(1)</script>' });
    await janua.services.mail?.settled();
    const page = (await janua.get('/demo/mail')).body;
    assert.ok(page.includes('&lt;script&gt;alert(1)&lt;/script&gt;'));
    assert.doesNotMatch(page, /<script>|<iframe|srcdoc/);
  });

  test('exists neither in production nor beside a mail server', async () => {
    const mailServer = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' };
    for (const options of [{ overrides: { demoMailbox: false } }, { settings: mailServer }]) {
      await using janua = await startJanua(options);
      for (const url of ['/demo/mail', '/api/demo/mail']) assert.equal((await janua.get(url)).statusCode, 404);
    }
  });
});

test('no mail is sent before the server knows its own address, whatever host a request names', async () => {
  await using janua = await startJanua({ settings: { PORT: 0 } });
  const { app, services } = janua;
  await janua.get('/auth/login', { host: 'evil.example', 'x-forwarded-host': 'evil.example' });
  await addReset(janua);
  await services.mail?.settled();
  assert.deepEqual(await services.outbox.listKept(10), []);
  await app.listen({ host: '127.0.0.1', port: 0 });
  while (!services.mail || (await services.outbox.hasDue())) await setImmediate();
  await services.mail.settled();
  const [kept] = await services.outbox.listKept(10);
  const { port } = app.addresses()[0] as AddressInfo;
  assert.ok(kept?.link?.startsWith(`http://localhost:${port}/auth/reset-password?token=`));
});

test('what became of a mail is found by the id of the request that caused it', async () => {
  await using janua = await startJanua();
  const { services } = janua;
  await addNotice(janua, 'ann@example.com', { requestId: 'request-1' });
  await services.mail?.settled();
  const events = await services.auditTrail.findByRequestId('request-1');
  assert.deepEqual(
    events.map((event) => 'kind' in event && event.kind),
    ['mail-sent'],
  );
});

test('a day later, the mails of the demo are removed', async () => {
  await using janua = await startJanua();
  const { services } = janua;
  await addNotice(janua, 'ann@example.com');
  await services.mail?.settled();
  await services.clean();
  assert.equal((await services.outbox.listKept(10)).length, 1);
  janua.pass(25 * 60 * 60 * 1000);
  await services.clean();
  assert.deepEqual(await services.outbox.listKept(10), []);
});
